"""The client commands of `taskreel`. Each gives its exit status.

What talks to pods is imported when a command runs, so that `--help` and pods need not load it.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cli.replay import read_speed
from events.errors import InvalidCursor
from events.model import EventId, Status


class Attempts(StrEnum):
    """Which attempts' events history has."""

    FINAL = "final"
    ALL = "all"


def _speed(text: str) -> float:
    try:
        return read_speed(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no speed: a positive number, such as 10, or max") from None


def _event_id(text: str) -> EventId:
    try:
        return EventId.parse(text)
    except InvalidCursor as error:
        raise typer.BadParameter(f"{text!r} is no event id. {error}") from None


def _json(text: str) -> Any:
    """JSON, or that of a file with `@` before its name; `@-` is stdin."""
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
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]
DEFAULT_URL = "http://127.0.0.1:8000"


def submit(
    graph: Annotated[str, typer.Argument(metavar="GRAPH", help="Name of the graph to run.")],
    task_input: Annotated[
        Any,
        typer.Option(
            "--input", parser=_json, metavar="JSON", help="The graph's input, or @FILE (@-: stdin)."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show the run until its end.")] = False,
    thread: Annotated[str | None, typer.Option(metavar="ID", help="LangGraph's thread to run it on.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", metavar="KEY", help="With the same key it is submitted once only."),
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Submit a task, and print its id.

    With --follow the exit status is 0 when the task succeeded, 1 when it failed, 2 when it was cancelled.
    """

    from cli import run

    body = {"graph": graph, "input": task_input, "thread_id": thread, "idempotency_key": key}
    return run.run(url, run.submit(body, follow=follow, as_json=as_json))


def tail(
    task_id: TaskId,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Begin after this event's id.")] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Follow a task until its end: what has been, then what comes. Lost connections are made again.

    The exit status is 0 when the task succeeded, 1 when it failed, 2 when it was cancelled.
    """
    from cli import run

    return run.run(url, run.tail(task_id, after, as_json=as_json))


def replay(
    task_id: TaskId,
    speed: Annotated[
        Any, typer.Option(parser=_speed, metavar="N", help="How many times as fast as it was, or max.")
    ] = "1",
    last: Annotated[
        Any, typer.Option("--until", parser=_event_id, metavar="ID", help="The last event to show.")
    ] = None,
    attempts: Annotated[
        Attempts, typer.Option(help="final: leave out what a later attempt has done again.")
    ] = Attempts.ALL,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Play a task's history with its original timing.

    The exit status is as for tail when the task's end was shown, else 0.
    """

    from cli import run

    chosen = run.replay(task_id, speed=speed, last=last, attempts=attempts.value, as_json=as_json)
    return run.run(url, chosen)


def ls(
    status: Annotated[Status | None, typer.Option(help="Only tasks in this status.")] = None,
    graph: Annotated[str | None, typer.Option(metavar="G", help="Only this graph's tasks.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 50,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """List tasks, newest first."""

    from cli import run

    return run.run(url, run.ls(status, graph, limit, as_json=as_json))


def show(task_id: TaskId, as_json: Json = False, url: Url = DEFAULT_URL) -> int:
    """Show a task as it is now."""

    from cli import run

    return run.run(url, run.show(task_id, as_json=as_json))


def cancel(task_id: TaskId, as_json: Json = False, url: Url = DEFAULT_URL) -> int:
    """Cancel a task; it ends as soon as can be."""

    from cli import run

    return run.run(url, run.cancel(task_id, as_json=as_json))


def resume(
    task_id: TaskId,
    value: Annotated[
        Any, typer.Option(parser=_json, metavar="JSON", help="The answer, or @FILE (@-: stdin).")
    ],
    interrupt_id: Annotated[
        str | None, typer.Option("--interrupt", metavar="ID", help="Which question, if there are several.")
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Answer a task that waits for a person; it goes on."""

    from cli import run

    return run.run(url, run.resume(task_id, value, interrupt_id, as_json=as_json))
