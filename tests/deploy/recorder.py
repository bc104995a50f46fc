"""A server in a pod's place that keeps what it's sent: what a pod gets to see of a request behind nginx."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from tests.support.listening import listening, port_of

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Recorder:
    """What it was sent.

    Attributes:
        port: where it listens.
        heads: of the requests.
        connections: how many were made.
        serving: who serves those that are open.
        silent: it takes requests and closes without an answer.
    """

    silent: bool
    port: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; requests have no body."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                if self.silent:
                    break
                writer.write(ANSWER)
        writer.close()

    def header(self, name: str) -> list[str]:
        """The values of a header in the last request."""
        lines = [line.partition(": ") for line in self.heads[-1].decode().splitlines()[1:]]
        return [value for found, _, value in lines if found.lower() == name.lower()]


@contextlib.asynccontextmanager
async def recorder(*, silent: bool = False) -> AsyncGenerator[Recorder]:
    """One that listens; at the end it waits until its clients have gone."""
    it = Recorder(silent)
    async with listening(it.serve) as server:
        it.port = port_of(server)
        yield it
        async with asyncio.timeout(30):
            await asyncio.gather(*it.serving)
