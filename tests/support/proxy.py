"""A TCP proxy in front of Redis that can lose replies: the command was executed, and nobody hears of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

from tests.support.listening import listening, port_of

P = TypeVar("P", bound="Proxy")


class Proxy:
    """Forwards to a port of this machine.

    Attributes:
        port: where it listens.
        lose: how many of the next replies to swallow, each with its connection.
        lost: how many were swallowed so far.
        mute: swallow replies and keep the connection, as a network that went dead does.
        connections: how many were made so far.
    """

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.lose = 0
        self.lost = 0
        self.mute = False
        self.connections = 0
        self._upstream = upstream
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Forward one connection until either end closes it, or its reply is to be lost."""
        replies, commands = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {back, commands}
        self.connections += 1
        forward = asyncio.create_task(self._forward(client, commands))
        try:
            while data := await replies.read(65536):
                if self.lose:
                    self.lose -= 1
                    self.lost += 1
                    break
                if not self.mute:
                    back.write(data)
                    await back.drain()
        except OSError:
            pass
        finally:
            forward.cancel()
            self._writers -= {back, commands}
            for writer in (back, commands):
                writer.close()

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
            target.close()

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in self._writers:
            writer.transport.abort()


class Gate(Proxy):
    """A proxy in front of Redis that can be shut: connections are cut and new ones turned away.

    Attributes:
        shut: whether it is.
        refused: how many connections it has turned away.
    """

    def __init__(self, upstream: int) -> None:
        super().__init__(upstream)
        self.shut = False
        self.refused = 0

    @property
    def url(self) -> str:
        """Redis, as seen through it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Forward one connection, or turn it away."""
        if self.shut:
            self.refused += 1
            back.transport.abort()
            return
        await super().serve(client, back)

    def close(self) -> None:
        """Cut everything and let nobody in."""
        self.shut = True
        self.cut()


@contextlib.asynccontextmanager
async def proxy(upstream: int) -> AsyncGenerator[Proxy]:
    """A proxy in front of a port."""
    async with _serving(Proxy(upstream)) as it:
        yield it


@contextlib.asynccontextmanager
async def gate(upstream: int) -> AsyncGenerator[Gate]:
    """An open gate in front of a port."""
    async with _serving(Gate(upstream)) as it:
        yield it


@contextlib.asynccontextmanager
async def _serving(it: P) -> AsyncGenerator[P]:
    async with listening(it.serve) as server:
        it.port = port_of(server)
        try:
            yield it
        finally:
            it.cut()
