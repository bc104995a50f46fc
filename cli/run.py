"""What the client commands do, once their arguments are understood. Each gives an exit status."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal

from cli.client import Client
from cli.failures import ClientError
from cli.interruption import INTERRUPTED, Interruption
from cli.output import abandon, put, say
from cli.render import Screen, screen
from cli.replay import paced, until
from cli.tables import details, table
from cli.text import json_line
from cli.wire import Event
from events.model import TERMINAL, EventId, Status

NO_CONNECTION = 3
READER_GONE = 141
"""What a shell shows for a process that SIGPIPE ended."""

ENDED = {Status.SUCCEEDED: 0, Status.FAILED: 1, Status.CANCELLED: 2}

Ask = Callable[[Client], Awaitable[int]]


def submit(body: dict[str, Any], *, follow: bool, as_json: bool) -> Ask:
    """Submit a task, given as the arguments of `Client.submit`."""

    async def ask(client: Client) -> int:
        task = await client.submit(**body)
        if not follow:
            put(json_line(task) if as_json else task["task_id"])
            return 0
        if not sys.stdout.isatty():
            say(f"task {task['task_id']}")
        return await tail(task["task_id"], None, as_json=as_json)(client)

    return ask


def tail(task_id: str, after: str | None, *, as_json: bool) -> Ask:
    """Follow a task until its end."""

    async def ask(client: Client) -> int:
        with screen(task_id, as_json=as_json) as shown:
            async with client.follow(task_id, after, on_notice=shown.notice) as events:
                status = await _show(events, shown)
        # A cursor at the task's end leaves nothing to follow.
        return ENDED[status or Status((await client.task(task_id))["status"])]

    return ask


def replay(
    task_id: str, *, speed: float, last: EventId | None, attempts: Literal["final", "all"], as_json: bool
) -> Ask:
    """Play history."""

    async def ask(client: Client) -> int:
        with screen(task_id, as_json=as_json) as shown:
            async with aclosing(
                paced(until(client.events(task_id, attempts=attempts), last), speed)
            ) as events:
                status = await _show(events, shown)
        return 0 if status is None else ENDED[status]

    return ask


def ls(status: Status | None, graph: str | None, limit: int, *, as_json: bool) -> Ask:
    """List tasks."""

    async def ask(client: Client) -> int:
        found = client.tasks(status=status, graph=graph, limit=limit)
        if as_json:
            async for task in found:
                put(json_line(task))
        else:
            put(table([task async for task in found]))
        return 0

    return ask


def show(task_id: str, *, as_json: bool) -> Ask:
    """Show a task."""

    async def ask(client: Client) -> int:
        task = await client.task(task_id)
        put(json_line(task) if as_json else details(task))
        return 0

    return ask


def cancel(task_id: str, *, as_json: bool) -> Ask:
    """Have a task end."""

    async def ask(client: Client) -> int:
        return _taken(await client.cancel(task_id), as_json)

    return ask


def resume(task_id: str, value: Any, interrupt_id: str | None, *, as_json: bool) -> Ask:
    """Answer a task that waits."""

    async def ask(client: Client) -> int:
        return _taken(await client.resume(task_id, value, interrupt_id), as_json)

    return ask


def run(url: str, ask: Ask) -> int:
    """Ask with a client; what can be expected to go wrong is told in one line."""

    async def asked() -> int:
        Interruption(asyncio.current_task()).listen()
        async with Client(url) as client:
            return await ask(client)

    try:
        return asyncio.run(asked())
    except ClientError as error:
        say(str(error))
        return NO_CONNECTION
    except asyncio.CancelledError:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whose finger is still on the key
        return INTERRUPTED
    except BrokenPipeError:
        abandon()
        return READER_GONE


def _taken(wish: dict[str, Any], as_json: bool) -> int:
    put(json_line(wish) if as_json else wish["status"])
    return 0


async def _show(events: AsyncIterator[Event], shown: Screen) -> Status | None:
    """Show events; gives how the task ended, if they tell."""
    status: Status | None = None
    async for event in events:
        shown.event(event)
        status = TERMINAL.get(str(event.get("type")))
    return status
