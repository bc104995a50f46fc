"""What the client commands do, once their arguments are understood. Each gives an exit status."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from cli.client import Client
from cli.failures import ClientError, Refused
from cli.hints import after_refusal, command
from cli.interruption import Interruption
from cli.output import abandon, put, say
from cli.render import Screen, screen
from cli.replay import Playback, until
from cli.showing import Showing
from cli.tables import details, table
from cli.text import json_line
from cli.wire import Event, environment_token
from events.model import TERMINAL, EventId, Status

NO_CONNECTION = 3
READER_GONE = 141
"""What a shell shows for a process that SIGPIPE ended."""

ENDED = {Status.SUCCEEDED: 0, Status.FAILED: 1, Status.CANCELLED: 2}

Ask = Callable[[Client], Awaitable[int]]


@dataclass(frozen=True)
class Asked:
    """What a command is about, besides its own arguments.

    Attributes:
        url: of the pods.
        as_json: whether programs read the answer.
        task_id: the task's; empty if it's about none.
    """

    url: str
    as_json: bool
    task_id: str = ""

    def next_step(self, *words: str) -> None:
        """Tell a person at a terminal how to go on; a program's output stays as it is."""
        if not self.as_json and sys.stdout.isatty():
            say(f"go on with: {command(*words, url=self.url)}")


def submit(asked: Asked, body: dict[str, Any], *, follow: bool) -> Ask:
    """Submit a task, given as the arguments of `Client.submit`."""

    async def ask(client: Client) -> int:
        task = await client.submit(**body)
        if follow:
            if not sys.stdout.isatty():
                say(f"task {task['task_id']}")
            return await tail(Asked(asked.url, asked.as_json, task["task_id"]), None)(client)
        put(json_line(task) if asked.as_json else task["task_id"])
        asked.next_step("tail", task["task_id"])
        return 0

    return ask


def tail(asked: Asked, after: str | None) -> Ask:
    """Follow a task until its end."""

    async def ask(client: Client) -> int:
        with screen(Showing(asked.task_id, asked.url, asked.as_json)) as shown:
            async with client.follow(asked.task_id, after, on_notice=shown.notice) as events:
                status = await _show(events, shown)
        # A cursor at the task's end leaves nothing to follow.
        return ENDED[status or Status((await client.task(asked.task_id))["status"])]

    return ask


@dataclass(frozen=True)
class Manner:
    """How history is played.

    Attributes:
        speed: how many times as fast as it was.
        longest_pause: seconds that nobody waits longer for the next event.
        last: the last event to show, or None for all.
        attempts: `final` leaves out what a later attempt has done again.
    """

    speed: float = 1.0
    longest_pause: float = math.inf
    last: EventId | None = None
    attempts: Literal["final", "all"] = "all"

    @property
    def label(self) -> str:
        """In a few words."""
        return "replay" if math.isinf(self.speed) else f"replay x{self.speed:g}"


def replay(asked: Asked, manner: Manner) -> Ask:
    """Play history."""

    async def ask(client: Client) -> int:
        playback = Playback(manner.speed, manner.longest_pause)
        history = until(client.events(asked.task_id, attempts=manner.attempts), manner.last)
        showing = Showing(asked.task_id, asked.url, asked.as_json, playback.now, manner.label)
        with screen(showing) as shown:
            async with aclosing(playback.play(history)) as events:
                status = await _show(events, shown)
        return 0 if status is None else ENDED[status]

    return ask


def ls(asked: Asked, status: Status | None, graph: str | None, limit: int) -> Ask:
    """List tasks."""

    async def ask(client: Client) -> int:
        found = client.tasks(status=status, graph=graph, limit=limit)
        if asked.as_json:
            async for task in found:
                put(json_line(task))
            return 0
        tasks = [task async for task in found]
        if sys.stdout.isatty():
            from cli.portrait import list_tasks

            list_tasks(tasks)
        else:
            put(table(tasks))
        return 0

    return ask


def show(asked: Asked) -> Ask:
    """Show a task."""

    async def ask(client: Client) -> int:
        task = await client.task(asked.task_id)
        if asked.as_json:
            put(json_line(task))
        elif sys.stdout.isatty():
            from cli.portrait import portray

            portray(task, asked.url)
        else:
            put(details(task))
        return 0

    return ask


def cancel(asked: Asked) -> Ask:
    """Have a task end."""

    async def ask(client: Client) -> int:
        return _taken(asked, await client.cancel(asked.task_id))

    return ask


def resume(asked: Asked, value: Any, interrupt_id: str | None) -> Ask:
    """Answer a task that waits."""

    async def ask(client: Client) -> int:
        return _taken(asked, await client.resume(asked.task_id, value, interrupt_id))

    return ask


def run(asked: Asked, ask: Ask) -> int:
    """Ask with a client; what can be expected to go wrong is told in one line."""
    interruption = Interruption()

    async def main() -> int:
        interruption.listen(asyncio.current_task())
        async with Client(asked.url, token=environment_token()) as client:
            return await ask(client)

    try:
        return asyncio.run(main())
    except ClientError as error:
        say(_told(error, asked.task_id))
        return NO_CONNECTION
    except asyncio.CancelledError:
        return interruption.settle()
    except BrokenPipeError:
        abandon()
        return READER_GONE
    except OSError as error:
        abandon()
        say(f"cannot write the output: {error.strerror or error}; free some space, or write elsewhere")
        return NO_CONNECTION


def _told(error: ClientError, task_id: str) -> str:
    """The error, and what to do about it."""
    hint = after_refusal(error.code, error.document, task_id) if isinstance(error, Refused) else ""
    return f"{str(error).removesuffix('.')}. {hint}" if hint else str(error)


def _taken(asked: Asked, wish: dict[str, Any]) -> int:
    put(json_line(wish) if asked.as_json else wish["status"])
    asked.next_step("tail", asked.task_id)
    return 0


async def _show(events: AsyncIterator[Event], shown: Screen) -> Status | None:
    """Show events; gives how the task ended, if they tell."""
    status: Status | None = None
    async for event in events:
        shown.event(event)
        status = TERMINAL.get(str(event.get("type")))
    return status
