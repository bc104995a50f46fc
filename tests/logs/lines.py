"""Lines as a pod or a worker would write them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import orjson
from structlog.stdlib import ProcessorFormatter

from cli.logs import Fields, as_json, as_text
from events.redaction import USUAL


def formatter(render: Callable[..., str]) -> ProcessorFormatter:
    """What makes lines of records."""
    return ProcessorFormatter(processors=[Fields(USUAL), render])


def record(
    message: object, *args: object, error: BaseException | None = None, **fields: Any
) -> logging.LogRecord:
    """A record of `worker.run`."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    it = logging.LogRecord("worker.run", logging.WARNING, __file__, 1, message, args, exc_info)
    it.__dict__.update(fields)
    return it


def in_json(it: logging.LogRecord) -> dict[str, Any]:
    """What its line of JSON holds."""
    line = formatter(as_json).format(it)
    assert "\n" not in line
    return orjson.loads(line)


def in_text(it: logging.LogRecord) -> str:
    """Its line for people."""
    return formatter(as_text).format(it)


def raised(error: BaseException) -> BaseException:
    """That error, with a traceback."""
    try:
        raise error
    except type(error):
        caught = sys.exc_info()[1]
        assert caught is not None
        return caught
