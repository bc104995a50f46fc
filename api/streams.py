"""Streams: all open streams of this pod, and what is done for them together: beats, farewells, limits."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging

from sse_starlette.sse import EventSourceResponse
from starlette.types import Receive

from api import sse
from api.connection import Connection
from api.problems import Problem, passing
from events.background import stop
from events.connect import AWAY
from events.control import TaskControl
from events.errors import AlreadyEnded, TaskNotFound
from events.model import EventId
from events.tailer import Tailer

log = logging.getLogger(__name__)

_SLICES = 15
"""The heartbeat sweep serves a fifteenth of the connections at a time, so that beats don't come in bursts."""


class Streams:
    """The pod's open streams.

    Args:
        tailer: what they follow the log by.
        control: by which a client that leaves can take its task along.
        heartbeat_seconds: each stream gets a comment this often.
        max_streams: how many may be open.
    """

    def __init__(
        self, tailer: Tailer, control: TaskControl, *, heartbeat_seconds: float, max_streams: int
    ) -> None:
        self.draining = False
        self._control = control
        self._tailer = tailer
        self._tick = heartbeat_seconds / _SLICES
        self._max = max_streams
        self._slices: list[set[Connection]] = [set() for _ in range(_SLICES)]
        self._next = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return sum(len(part) for part in self._slices)

    async def start(self) -> None:
        """Begin to tail, to beat, and to listen for the server's end."""
        await self._tailer.start()
        self._tasks = [
            asyncio.create_task(self._beat(), name="heartbeats"),
            asyncio.create_task(self._drain_at_exit(), name="drain-at-exit"),
        ]

    async def close(self) -> None:
        """Stop all of it."""
        await stop(self._tasks)
        await self._tailer.close()

    def refusal(self) -> Problem | None:
        """Why no stream can be opened now, if so."""
        if self.draining:
            return passing("draining", "This pod is going away", "It is draining; another one serves you.")
        if len(self) >= self._max:
            detail = f"It has {self._max} streams open, its limit; another pod may have room."
            return passing("too_many_streams", "This pod is full", detail, 429)
        return None

    async def serve(
        self,
        connection: Connection,
        receive: Receive,
        task_id: str,
        position: EventId,
        *,
        first: bytes,
        cancel: bool = False,
    ) -> None:
        """Stream a task to a client until the log or the client ends.

        Args:
            connection: to the client.
            receive: tells when the client has gone.
            task_id: what to stream.
            position: from where on.
            first: bytes to begin with.
            cancel: whether the task ends with the client, if that goes first.
        """
        part = self._slices[next(self._next) % _SLICES]
        part.add(connection)
        try:
            connection.push(first)
            async with self._tailer.follow(task_id, position, connection):
                await connection.closed(receive)
        finally:
            part.discard(connection)
        if cancel and not connection.ended:
            await self._cancel(task_id)

    def drain(self) -> None:
        """End every stream with the time to come back at, and open no more."""
        self.draining = True
        for connection in list(itertools.chain.from_iterable(self._slices)):
            connection.end(sse.farewell("this pod is going away, come back"))

    async def _cancel(self, task_id: str) -> None:
        """The client has gone for good, as far as this pod can tell; nobody is there to hear of an error."""
        try:
            await self._control.cancel(task_id)
        except (AlreadyEnded, TaskNotFound):
            pass
        except AWAY as error:
            log.warning("task %s goes on though its client has left: %s", task_id, error)

    async def _beat(self) -> None:
        for part in itertools.cycle(self._slices):
            await asyncio.sleep(self._tick)
            for connection in list(part):
                connection.push(sse.HEARTBEAT)

    async def _drain_at_exit(self) -> None:
        # uvicorn runs lifespan shutdown only once all responses are complete, so that's too late to begin.
        # sse-starlette knows of the signal: one watcher for the pod here, instead of one for each stream.
        with contextlib.suppress(asyncio.CancelledError):
            await EventSourceResponse._listen_for_exit_signal()  # pyright: ignore[reportPrivateUsage]
            self.drain()
