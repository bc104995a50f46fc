"""What worker and pod tell of themselves: to stderr, one line a record, without secrets.

Records come from the standard library's loggers, and from structlog's where a graph has them.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Literal, cast

from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from cli.text import clean, json_line
from events.logfields import FIELDS, known
from events.model import timestamp
from events.redaction import USUAL, Redactor
from events.settings import Settings
from events.variables import doubts

OURS = ("api", "cli", "events", "worker")

Format = Literal["auto", "json", "text"]
"""`auto` is text on a terminal, and JSON elsewhere."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:/{}+-]+")

log = logging.getLogger(__name__)


class Fields:
    """Makes of a record the fields of its line, in their order, cleaned and without secrets.

    A record's text is in `message` alone, and no other name can come from it: nothing that is logged can pass
    for another field, or for another line.

    Args:
        redactor: takes secrets out of messages and tracebacks.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """The fields of structlog's event."""
        record: logging.LogRecord = event["_record"]
        fields: dict[str, Any] = {
            "timestamp": timestamp(round(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": self._safe(record.name),
            "message": self._safe(event.get("event")),
        }
        given = {**known(), **record.__dict__}
        fields.update({name: self._safe(given[name]) for name in FIELDS if given.get(name) is not None})
        exception = _exception(event.get("exc_info"))
        if exception:
            fields["exception"] = {name: self._safe(text) for name, text in exception.items()}
        return fields

    def _safe(self, value: Any) -> str | int | float:
        """A number as it is; anything else as text that no terminal obeys."""
        if isinstance(value, int | float):
            return value
        text = str(value)
        if not text.isascii() or self._redactor.suspects(text):
            text = self._redactor.text(text)
        return clean(text, keep="\n\t")


def _exception(exc_info: Any) -> dict[str, str] | None:
    """Named as OpenTelemetry names them: type, message and stacktrace."""
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    if not isinstance(exc_info, tuple) or exc_info[0] is None:
        return None
    kind, error, trail = cast("tuple[type[BaseException], BaseException, TracebackType | None]", exc_info)
    told = traceback.TracebackException(kind, error, trail)
    return {"type": kind.__qualname__, "message": str(told), "stacktrace": "".join(told.format())}


def as_json(logger: Any, method: str, fields: EventDict) -> str:
    """The fields as one JSON object on one line."""
    return json_line(fields)


def as_text(logger: Any, method: str, fields: EventDict) -> str:
    """The fields for people: when, how bad, whose, and then the message to the end of the line."""
    own = dict(fields)
    exception: dict[str, str] | None = own.pop("exception", None)
    when, level, name, message = (own.pop(key) for key in ("timestamp", "level", "logger", "message"))
    about = " ".join(f"{key}={_word(value)}" for key, value in own.items())
    head = f"{when} {level.upper()} {name}{f' [{about}]' if about else ''}: "
    return clean(head + message + (f" {exception['stacktrace'].rstrip()}" if exception else ""))


def _word(value: Any) -> str:
    """A value that can't be taken for two, or for the end of them."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json_line(text).replace("]", "\\u005d")


class Stderr(logging.StreamHandler):  # pyright: ignore[reportMissingTypeArgument]
    """Writes to stderr. Of a record that can't be written it tells whose it was, and not what it held."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell of it in place of printing the record's arguments, as logging would."""
        error = type(sys.exc_info()[1]).__name__
        self.stream.write(f"a record of {record.name} cannot be written: {error}\n")


def configure(redactor: Redactor = USUAL, form: Format = "auto", level: str = "info") -> None:
    """That level and above of ours, WARNING and above of the libraries, and whatever nobody has caught.

    Args:
        redactor: takes secrets out; all of it may be given anew once the settings are known.
        form: what a line looks like.
        level: the least that is told.
    """
    handler = Stderr()
    if form == "auto":
        form = "text" if handler.stream.isatty() else "json"
    render = as_json if form == "json" else as_text
    handler.setFormatter(ProcessorFormatter(processors=[Fields(redactor), render]))
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(least, logging.WARNING), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in OURS:
        logging.getLogger(name).setLevel(least)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def begin(settings: Settings) -> None:
    """Go on as the settings say, and tell of variables that look like settings and are none."""
    configure(settings.redactor, settings.log_format, settings.log_level)
    for doubt in doubts(os.environ):
        log.warning("%s", doubt)


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        log.critical("the process ends", exc_info=(kind, error, traceback))


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value or unraisable.exc_type()
    log.error("an error nobody could be told of", exc_info=(type(error), error, unraisable.exc_traceback))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        error = args.exc_value or args.exc_type()
        log.error("a thread ends", exc_info=(args.exc_type, error, args.exc_traceback))
