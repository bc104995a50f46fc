"""The client commands of `taskreel`. Each gives its exit status.

What talks to pods is imported when a command runs, so that `--help` and pods need not load it.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import completion
from cli.hints import DEFAULT_URL
from cli.options import (
    Json,
    TaskId,
    UnfinishedTask,
    Url,
    WaitingTask,
    read_event_id,
    read_json,
    read_speed_option,
)
from events.model import Status


class Attempts(StrEnum):
    """Which attempts' events history has."""

    FINAL = "final"
    ALL = "all"


def submit(
    graph: Annotated[
        str,
        typer.Argument(metavar="GRAPH", help="Name of the graph to run.", autocompletion=completion.graphs),
    ],
    task_input: Annotated[
        Any,
        typer.Option(
            "--input", parser=read_json, metavar="JSON", help="The graph's input, or @FILE (@-: stdin)."
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

    asked = run.Asked(url, as_json)
    body = {"graph": graph, "input": task_input, "thread_id": thread, "idempotency_key": key}
    return run.run(asked, run.submit(asked, body, follow=follow))


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

    asked = run.Asked(url, as_json, task_id)
    return run.run(asked, run.tail(asked, after))


def replay(
    task_id: TaskId,
    speed: Annotated[
        Any,
        typer.Option(parser=read_speed_option, metavar="N", help="How many times as fast, or max."),
    ] = "1",
    max_pause: Annotated[
        float,
        typer.Option(min=0, metavar="S", show_default=False, help="Seconds to wait for an event at most."),
    ] = math.inf,
    last: Annotated[
        Any, typer.Option("--until", parser=read_event_id, metavar="ID", help="The last event to show.")
    ] = None,
    attempts: Annotated[
        Attempts, typer.Option(help="final: leave out what a later attempt has done again.")
    ] = Attempts.ALL,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Play a task's history with its original timing.

    --max-pause 2 cuts long waits, such as for a person, to two seconds.

    The exit status is as for tail when the task's end was shown, else 0.
    """

    from cli import run

    asked = run.Asked(url, as_json, task_id)
    manner = run.Manner(speed, max_pause, last, attempts.value)
    return run.run(asked, run.replay(asked, manner))


def ls(
    status: Annotated[Status | None, typer.Option(help="Only tasks in this status.")] = None,
    graph: Annotated[
        str | None,
        typer.Option(metavar="G", help="Only this graph's tasks.", autocompletion=completion.graphs),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 50,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """List tasks, newest first."""

    from cli import run

    asked = run.Asked(url, as_json)
    return run.run(asked, run.ls(asked, status, graph, limit))


def show(task_id: TaskId, as_json: Json = False, url: Url = DEFAULT_URL) -> int:
    """Show a task as it is now."""

    from cli import run

    asked = run.Asked(url, as_json, task_id)
    return run.run(asked, run.show(asked))


def cancel(task_id: UnfinishedTask, as_json: Json = False, url: Url = DEFAULT_URL) -> int:
    """Cancel a task; it ends as soon as can be."""

    from cli import run

    asked = run.Asked(url, as_json, task_id)
    return run.run(asked, run.cancel(asked))


def resume(
    task_id: WaitingTask,
    value: Annotated[
        Any, typer.Option(parser=read_json, metavar="JSON", help="The answer, or @FILE (@-: stdin).")
    ],
    interrupt_id: Annotated[
        str | None, typer.Option("--interrupt", metavar="ID", help="Which question, if there are several.")
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> int:
    """Answer a task that waits for a person; it goes on."""

    from cli import run

    asked = run.Asked(url, as_json, task_id)
    return run.run(asked, run.resume(asked, value, interrupt_id))


EXAMPLES = {
    submit: (
        "taskreel submit digest --follow",
        """taskreel submit digest --input '{"sentences": 3}' --json""",
        "taskreel submit digest --input @input.json --thread monday --idempotency-key 4711",
    ),
    tail: (
        "taskreel tail 019a…",
        "taskreel tail 019a… --after 1-57 --json | jq .data",
        "taskreel tail 019a… --url http://one:8000,http://two:8000",
    ),
    replay: (
        "taskreel replay 019a… --speed 10 --max-pause 2",
        "taskreel replay 019a… --until 1-57",
        "taskreel replay 019a… --speed max --attempts final --json",
    ),
    ls: ("taskreel ls --status waiting", "taskreel ls --graph digest --limit 1000 --json"),
    show: ("taskreel show 019a…", "taskreel show 019a… --json | jq .result"),
    cancel: ("taskreel cancel 019a…",),
    resume: (
        """taskreel resume 019a… --value '"approve"'""",
        """taskreel resume 019a… --value @answer.json --interrupt 957d96…""",
    ),
}
"""By command, what its help shows."""
