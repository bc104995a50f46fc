"""Scribes: processes that write tasks as workers do, and say which ends were acknowledged to them.

`python -m tests.chaos.scribe SOCKET PAUSE` reads orders from a Unix socket, `TASK_ID EVENTS` each, and works
on all of them at once. It answers `TASK_ID END_ID` when the task's end counts as written, and `TASK_ID -` if
it finds the task gone, or ended by an earlier life of its own that may not have heard so. Killed and started
again, a scribe gets those orders anew that it hasn't answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from asyncio import Future, StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

from events.connect import patiently
from events.durability import Durability
from events.errors import Fenced, Held, Sealed, TaskNotFound
from events.model import Event, EventType
from events.settings import load
from tests.chaos.parties import Party, party
from tests.chaos.process import Process, process
from tests.chaos.processes import environment
from tests.support.server import HERE, Place

POOL = "scribes"
"""What scribes write no worker is to run."""

LEASE_MS = 4_000
"""How long a claim of a scribe's holds; it isn't renewed, for nobody but a scribe wants the task."""

AGAIN_SECONDS = 0.2
UNHEARD = b"-"
SUCCEEDED = Event(EventType.TASK_SUCCEEDED, {"result": None})


class Scribe:
    """One, as seen by who gives it orders.

    Attributes:
        process: what may be killed and started again.
    """

    process: Process

    def __init__(self) -> None:
        self._orders: dict[str, tuple[int, Future[bytes]]] = {}
        self._out: StreamWriter | None = None

    async def write(self, task_id: str, events: int) -> bytes:
        """Have a task written with so many events; gives its end's id once it's acknowledged, else `-`."""
        answer: Future[bytes] = asyncio.get_running_loop().create_future()
        self._orders[task_id] = (events, answer)
        self._order(task_id)
        return await answer

    async def serve(self, answers: StreamReader, out: StreamWriter) -> None:
        """Talk to a process that has just started."""
        self._out = out
        for task_id in self._orders:
            self._order(task_id)
        with contextlib.suppress(OSError):
            while line := await answers.readline():
                task_id, end = line.split()
                _, answer = self._orders.pop(task_id.decode())
                if not answer.done():
                    answer.set_result(end)
        out.close()

    def _order(self, task_id: str) -> None:
        if self._out is not None:
            events, _ = self._orders[task_id]
            self._out.write(f"{task_id} {events}\n".encode())


@contextlib.asynccontextmanager
async def scribe(
    folder: Path, url: str, pause: float, place: Place = HERE, **settings: object
) -> AsyncGenerator[Scribe]:
    """A scribe that pauses for so many seconds between two events of a task; else as for workers."""
    it, path = Scribe(), folder / f"scribe-{uuid4().hex[:8]}"
    command = [sys.executable, "-m", "tests.chaos.scribe", str(path), str(pause)]
    async with await asyncio.start_unix_server(it.serve, path):
        with process("scribe", command, environment(url, **settings), place.within) as it.process:
            yield it


async def main(path: str, pause: float) -> None:
    """Do what is ordered, until the socket is closed."""
    orders, answers = await asyncio.open_unix_connection(path)
    settings = load()
    durability = Durability(settings.durability, settings.durability_replicas)
    reached = party(settings.redis_url, settings.queue_url, durability)
    async with reached as its, asyncio.TaskGroup() as work:
        while line := await orders.readline():
            task_id, events = line.decode().split()
            work.create_task(_write(its, answers, task_id, int(events), pause))


async def _write(its: Party, answers: StreamWriter, task_id: str, events: int, pause: float) -> None:
    end = b""
    while not end:
        try:
            end = await _attempt(its, task_id, events, pause)
        except (TaskNotFound, Sealed):
            end = UNHEARD
    answers.write(b"%b %b\n" % (task_id.encode(), end))
    await answers.drain()
    await patiently(functools.partial(its.store.settle, task_id))


async def _attempt(its: Party, task_id: str, events: int, pause: float) -> bytes:
    """The id of the task's end; nothing if somebody else has the task."""
    claim = functools.partial(its.log.claim, task_id, uuid4().hex, worker="scribe", lease_ms=LEASE_MS)
    with contextlib.suppress(Held, Fenced):
        writer = its.appender.writer(await patiently(claim))
        for number in range(events):
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
            await asyncio.sleep(pause)
        await writer.append(SUCCEEDED)
        await writer.flush()
        return bytes(writer.last)
    await asyncio.sleep(AGAIN_SECONDS)
    return b""


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
