"""Publishing to nchan, in the protocol of `bench/publisher`: `python -m bench.peers.nchan_publisher`.

What is posted is the document that a worker would append, byte for byte, over few kept-alive connections. A
task's documents take one connection, one behind the other, so that they arrive in order; none waits for the
answer to another.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Self, cast

import uvloop
from httptools import HttpResponseParser
from uuid_utils import uuid7

from bench.publisher import obey
from events.codec import document
from events.model import Event, EventId, now_ms

CONNECTIONS = 16
ANSWER_SECONDS = 100.0
"""How long nginx may be behind."""

_POST = (
    b"POST /tasks/%b/publish HTTP/1.1\r\nHost: bench\r\nX-EventSource-Event: %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)
_PUBLISHED = frozenset({201, 202})


class Connection(asyncio.Protocol):
    """One kept-alive connection: documents are written at once, and each answer is looked at."""

    def __init__(self) -> None:
        self._unanswered = self._refused = 0
        self._answered = asyncio.Event()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to nginx."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def post(self, task_id: str, kind: str, content: bytes) -> None:
        """Publish one document, behind those before it."""
        assert self._transport is not None
        self._unanswered += 1
        self._answered.clear()
        self._transport.write(_POST % (task_id.encode(), kind.encode(), len(content), content))

    async def flush(self) -> None:
        """Wait for the answers that are still to come.

        Raises:
            ConnectionError: nginx has refused a document, or left without an answer to one.
            TimeoutError: it is still behind after 100 s.
        """
        if self._unanswered:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._answered.wait()
        if self._refused:
            raise ConnectionError(f"{self._refused} documents were not published")

    def close(self) -> None:
        """Close it, answered or not."""
        assert self._transport is not None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's has its ways, not its class

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self._refused += self._unanswered
        self._unanswered = 0
        self._answered.set()

    def on_message_complete(self) -> None:
        """Part of httptools' protocol: an answer is there, whole."""
        self._refused += self._parser.get_status_code() not in _PUBLISHED
        self._unanswered -= 1
        if not self._unanswered:
            self._answered.set()


class NchanSink:
    """A channel a task, which is there as soon as somebody publishes or subscribes.

    Attributes:
        tasks: their ids.
    """

    def __init__(self, tasks: int, connections: Sequence[Connection]) -> None:
        self.tasks = [str(uuid7()) for _ in range(tasks)]
        self._lasts = [0] * tasks
        self._connections = connections

    @property
    def last(self) -> int:
        """The last seq of each."""
        return min(self._lasts)

    async def put(self, task: int, event: Event) -> None:
        """Post it."""
        self._lasts[task] += 1
        content = document(event, EventId(1, self._lasts[task]), now_ms())
        self._connections[task % len(self._connections)].post(self.tasks[task], event.type, content)

    async def flush(self) -> None:
        """Wait for nginx's word."""
        for connection in self._connections:
            await connection.flush()


async def _main(port: int, tasks: int) -> None:
    connections = [await Connection.open(port) for _ in range(min(CONNECTIONS, tasks))]
    await obey(NchanSink(tasks, connections))
    for connection in connections:
        connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="nginx's")
    parser.add_argument("--tasks", type=int, required=True, metavar="N")
    given = parser.parse_args()
    uvloop.run(_main(given.port, given.tasks))
