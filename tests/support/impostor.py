"""What may stand where a pod was: a proxy's error page, a pod that drains, a stream that repeats itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from tests.support.listening import listening

UNAVAILABLE = "503 Service Unavailable\r\nConnection: close\r\n\r\n"
STREAM = "200 OK\r\nContent-Type: text/event-stream"


class Impostor:
    """Answers each request on a port in one way, closes, and counts.

    Attributes:
        streams: how many requests for a stream there were.
        others: how many other ones.
    """

    def __init__(self, head: str, body: str, other: str, hold: float) -> None:
        self.streams = 0
        self.others = 0
        self._head = head
        self._body = body
        self._other = other
        self._hold = hold

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            wanted = b"/stream" in request.partition(b"\r\n")[0]
            self.streams += wanted
            self.others += not wanted
            answer = f"{self._head}\r\nConnection: close\r\n\r\n{self._body}" if wanted else self._other
            writer.write(f"HTTP/1.1 {answer}".encode())
            await writer.drain()
            await asyncio.sleep(self._hold if wanted else 0)
        writer.close()


@contextlib.asynccontextmanager
async def impostor(
    url: str, head: str, body: str = "", other: str = UNAVAILABLE, hold: float = 0
) -> AsyncGenerator[Impostor]:
    """Serve on that URL's port.

    Args:
        url: of the pod that isn't there.
        head: status and headers of a stream.
        body: of a stream.
        other: status, headers and body of all else.
        hold: for how many seconds a stream is kept open.
    """
    it = Impostor(head, body, other, hold)
    async with listening(it.serve, int(url.rpartition(":")[2])):
        yield it
