"""A TCP proxy in front of Redis that sees what a client asks, and may keep it or its reply from arriving.

A client of ours has one batch of commands under way on a connection, so all that it has sent when Redis
answers is one batch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from enum import Enum, auto

from events.background import stop
from tests.support.listening import listening, port_of

CHUNK = 1 << 22
"""Bytes that one read may bring; above what an appender writes at a time."""


class Point(Enum):
    """Where a batch is when it is judged."""

    SENT = auto()
    """The client has sent it and Redis doesn't have it yet."""

    EXECUTED = auto()
    """Redis has answered and the client hasn't heard it yet."""

    HEARD = auto()
    """The client has been sent the reply."""


Judge = Callable[[Point, bytes], Awaitable[bool]]
"""Whether a batch, or its reply, may pass; if not, its connection is cut."""


class Interposer:
    """Forwards to a port of this machine, unless a judge says no.

    Attributes:
        port: where it listens.
        judge: asked at each point of each batch.
    """

    def __init__(self, upstream: int, judge: Judge) -> None:
        self.port = 0
        self.judge = judge
        self._upstream = upstream
        self._serving: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """Redis, as seen through it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Forward one connection until either end closes it, or the judge does."""
        serving = asyncio.create_task(self._serve(client, back))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        await serving

    async def close(self) -> None:
        """Cut every connection there is."""
        self._closing.set()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        replies, commands = await asyncio.open_connection("127.0.0.1", self._upstream, limit=CHUNK)
        batches: asyncio.Queue[bytes] = asyncio.Queue()
        pumps = [
            asyncio.create_task(self._forward(client, commands, batches)),
            asyncio.create_task(self._give_back(replies, back, batches)),
            asyncio.create_task(self._close()),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        await stop(pumps)
        for writer in (back, commands):
            writer.transport.abort()

    async def _close(self) -> None:
        await self._closing.wait()

    async def _forward(
        self, client: asyncio.StreamReader, commands: asyncio.StreamWriter, batches: asyncio.Queue[bytes]
    ) -> None:
        with contextlib.suppress(OSError):
            while batch := await client.read(CHUNK):
                if not await self.judge(Point.SENT, batch):
                    return
                batches.put_nowait(batch)
                commands.write(batch)
                await commands.drain()

    async def _give_back(
        self, replies: asyncio.StreamReader, back: asyncio.StreamWriter, batches: asyncio.Queue[bytes]
    ) -> None:
        """A long reply comes in pieces, and a bell rings unasked: only a batch's first piece is judged."""
        with contextlib.suppress(OSError):
            while reply := await replies.read(CHUNK):
                batch = b"".join(batches.get_nowait() for _ in range(batches.qsize()))
                if batch and not await self.judge(Point.EXECUTED, batch):
                    return
                back.write(reply)
                await back.drain()
                if batch and not await self.judge(Point.HEARD, batch):
                    return


@contextlib.asynccontextmanager
async def interposed(upstream: int, judge: Judge) -> AsyncGenerator[Interposer]:
    """Such a proxy in front of a port."""
    it = Interposer(upstream, judge)
    async with listening(it.serve, limit=CHUNK) as server:
        it.port = port_of(server)
        try:
            yield it
        finally:
            await it.close()
