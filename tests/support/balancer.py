"""A TCP load balancer that knows no more of its servers than nginx does: who refuses is passed over."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from tests.support.listening import listening, port_of


class Balancer:
    """Has each connection go to the server with the fewest.

    Attributes:
        port: where it listens.
        open: how many connections each server has.

    Args:
        ports: of the servers, on 127.0.0.1.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.port = 0
        self.open = Counter(dict.fromkeys(ports, 0))

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Serve one connection until both ends have closed it; it's closed if every server refuses."""
        for port in sorted(self.open, key=self.open.__getitem__):
            with contextlib.suppress(ConnectionRefusedError):
                return await self._serve(port, client, back)

    async def _serve(self, port: int, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", port)
        self.open[port] += 1
        try:
            await asyncio.gather(_copy(client, requests), _copy(answers, back))
        finally:
            self.open[port] -= 1
            requests.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@contextlib.asynccontextmanager
async def balancer(ports: Sequence[int]) -> AsyncGenerator[Balancer]:
    """A balancer in front of those ports."""
    it = Balancer(ports)
    async with listening(it.serve, backlog=1024) as server:
        it.port = port_of(server)
        yield it
