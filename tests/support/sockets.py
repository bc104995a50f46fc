"""Clients as plain as can be: a socket, the bytes that go in and the bytes that come out."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass


@dataclass
class Socket:
    """One socket of a client's."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def until(self, marker: bytes) -> bytes:
        """Read up to and with those bytes."""
        async with asyncio.timeout(30):
            return await self.reader.readuntil(marker)

    async def rest(self) -> bytes:
        """Read until the server closes; nothing if it breaks."""
        try:
            async with asyncio.timeout(30):
                return await self.reader.read()
        except ConnectionError:
            return b""

    async def leave(self) -> None:
        """Close the socket."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def begin(url: str, request: bytes = b"") -> Socket:
    """Connect, and send the beginning of a request."""
    host, _, port = url.removeprefix("http://").partition(":")
    client = Socket(*await asyncio.open_connection(host, int(port)))
    client.writer.write(request)
    return client


async def answer(url: str, request: bytes) -> bytes:
    """All that the pod says to a request until it closes; nothing if it turns the client away."""
    client = await begin(url, request)
    try:
        return await client.rest()
    finally:
        await client.leave()
