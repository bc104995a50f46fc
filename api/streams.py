"""Streams: all open streams of this pod, and what is done for them together: beats, farewells, limits."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import AbstractAsyncContextManager

from api import metrics, sse
from api.auth.principal import Principal
from api.auth.watch import CredentialWatch
from api.connection import Connection
from api.places import Place, StreamPlaces
from api.problems import draining, passing
from events.background import stop
from events.connect import AWAY
from events.control import TaskControl
from events.errors import AlreadyEnded, TaskNotFound
from events.logfields import about
from events.model import EventId
from events.position import Located
from events.tailer import Tailer

log = logging.getLogger(__name__)

_HEARTBEAT = sse.chunk(sse.HEARTBEAT)

_SLICES = 15
"""The heartbeat sweep serves a fifteenth of the connections at a time, so that beats don't come in bursts."""


class Streams:
    """The pod's open streams.

    Attributes:
        draining: the pod is going away and opens no more.
        slow_clients: how many have been cut off because they were too slow.

    Args:
        tailer: what they follow the log by.
        control: by which a client that leaves can take its task along.
        watch: ends streams with their credentials.
        places: counts the streams of each principal.
        heartbeat_seconds: each stream gets a comment this often.
        max_streams: how many may be open.
    """

    def __init__(
        self,
        tailer: Tailer,
        control: TaskControl,
        watch: CredentialWatch,
        places: StreamPlaces,
        *,
        heartbeat_seconds: float,
        max_streams: int,
    ) -> None:
        self.draining = False
        self.slow_clients = 0
        self._control = control
        self._tailer = tailer
        self._watch = watch
        self._places = places
        self._tick = heartbeat_seconds / _SLICES
        self._max = max_streams
        metrics.OPEN_STREAMS_LIMIT.set(max_streams)
        self._slices: list[set[Connection]] = [set() for _ in range(_SLICES)]
        self._cancelling: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return sum(len(part) for part in self._slices)

    async def start(self) -> None:
        """Begin to tail and to beat."""
        await self._tailer.start()
        self._tasks = [
            asyncio.create_task(self._beat(), name="heartbeats"),
            asyncio.create_task(self._places.run(), name="places"),
        ]

    async def close(self) -> None:
        """Stop all of it."""
        await stop([*self._tasks, *self._cancelling])
        await self._places.give_back()
        await self._tailer.close()

    def settling(self, task_id: str) -> bool:
        """Whether a log that isn't there may be there soon, since its Redis was away until just now."""
        return self._tailer.settling(task_id)

    def admit(self) -> None:
        """Raises Problem if no stream can be opened now."""
        if self.draining:
            raise draining()
        if len(self) >= self._max:
            detail = f"This pod has {self._max} streams open, its limit; another pod may have room."
            raise passing("too_many_streams", "Too many streams are open", detail, 429)

    def reserve(self, principal: Principal) -> AbstractAsyncContextManager[Place | None]:
        """One of a principal's places, for a stream that is opened within; as `StreamPlaces.reserve`."""
        return self._places.reserve(principal)

    def give_back(self, place: Place | None) -> None:
        """Give back the place of a stream that wasn't to be."""
        self._places.leave(place)

    async def locate(self, task_id: str, cursor: EventId) -> Located:
        """Find where a reader that has everything up to the cursor goes on; raises as `EventLog.locate`."""
        return await self._tailer.locate(task_id, cursor)

    async def serve(self, connection: Connection, position: EventId, *, first: bytes) -> None:
        """Stream a task to a client; returns when it has all there is for now, and goes on by itself.

        Args:
            connection: to the client, with the response's head sent.
            position: from where on.
            first: bytes to begin with.
        """
        self._slice(connection).add(connection)
        metrics.OPEN_STREAMS.inc()
        self._watch.add(connection, connection.principal)
        self._places.hold(connection.place)
        connection.push(sse.chunk(first))
        await self._tailer.follow(connection.task_id, position, connection)

    def lost(self, connection: Connection) -> None:
        """Let go of a connection whose socket is closed."""
        self._slice(connection).discard(connection)
        metrics.OPEN_STREAMS.dec()
        self._watch.remove(connection, connection.principal)
        self._places.leave(connection.place)
        self._tailer.leave(connection.task_id, connection)
        # While the pod drains, whoever balances its load may have cut the client off.
        if connection.cancels and not (connection.ended or self.draining):
            task = asyncio.create_task(self._cancel(connection.task_id), name="cancel-with-client")
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)

    def cut_off(self, connection: Connection) -> None:
        """Count a client that was too slow."""
        self.slow_clients += 1
        metrics.SLOW_CLIENTS.inc()
        with about(task=connection.task_id):
            log.info("a client of task %s was too slow and is cut off", connection.task_id)

    def going(self) -> list[Connection]:
        """All streams, in the order in which they end when the pod goes: slow clients need longest for it."""
        return sorted(itertools.chain.from_iterable(self._slices), key=lambda it: it.keeps_up)

    def dismiss(self, connection: Connection) -> None:
        """End a stream with the time to come back at."""
        connection.end(sse.farewell("this pod is going away, come back", elsewhere=True))

    def drain(self) -> None:
        """End every stream at once, and open no more."""
        self.draining = True
        for connection in self.going():
            self.dismiss(connection)

    async def _cancel(self, task_id: str) -> None:
        """The client has gone for good, as far as this pod can tell; nobody is there to hear of an error."""
        try:
            await self._control.cancel(task_id)
        except (AlreadyEnded, TaskNotFound):
            pass
        except AWAY as error:
            with about(task=task_id):
                log.warning("task %s goes on though its client has left: %s", task_id, error)

    async def _beat(self) -> None:
        for part in itertools.cycle(self._slices):
            await asyncio.sleep(self._tick)
            for connection in part:
                connection.push(_HEARTBEAT)

    def _slice(self, connection: Connection) -> set[Connection]:
        return self._slices[hash(connection) % _SLICES]
