"""The options and arguments that client commands share, and how their words are read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli import completion
from cli.replay import read_speed
from events.errors import InvalidCursor
from events.model import EventId


def read_speed_option(text: str) -> float:
    """A speed. Raises BadParameter."""
    try:
        return read_speed(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no speed: a positive number, such as 10, or max") from None


def read_event_id(text: str) -> EventId:
    """An event's id. Raises BadParameter."""
    try:
        return EventId.parse(text)
    except InvalidCursor as error:
        raise typer.BadParameter(f"{text!r} is no event id. {error}") from None


def read_json(text: str) -> Any:
    """JSON, or that of a file with `@` before its name; `@-` is stdin. Raises BadParameter."""
    try:
        raw = text.encode() if text[:1] != "@" else _read(text[1:])
        return orjson.loads(raw)
    except OSError as error:
        raise typer.BadParameter(f"cannot read {text[1:]!r}: {error.strerror}") from None
    except ValueError as error:
        hint = "a text needs its quotes, '\"yes\"', and a file is named by @FILE"
        raise typer.BadParameter(f"it is not JSON: {error}; {hint}") from None


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="TASKREEL_URL",
        metavar="URL,…",
        help="Base URL of a pod, or several with commas between.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
TaskId = Annotated[
    str, typer.Argument(metavar="TASK", help="The task's id.", autocompletion=completion.any_task)
]
UnfinishedTask = Annotated[
    str, typer.Argument(metavar="TASK", help="The task's id.", autocompletion=completion.unfinished_task)
]
WaitingTask = Annotated[
    str, typer.Argument(metavar="TASK", help="The task's id.", autocompletion=completion.waiting_task)
]
