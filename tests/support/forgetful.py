"""A proxy in front of a pod that forgets what it carries, as a router does that has dropped its table."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from tests.support.listening import listening, port_of


class Forgetful:
    """Forwards to a port of this machine.

    Attributes:
        url: where it listens.
        streams: how many streams it was asked for.
    """

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.streams = 0
        self._upstream = int(upstream.rpartition(":")[2])
        self._carrying: dict[asyncio.StreamWriter, bool] = {}

    def forget(self) -> None:
        """Let the streams there are stay open, and nothing come over them any more."""
        self._carrying = dict.fromkeys(self._carrying, False)

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Forward one connection until either end closes it."""
        answers, requests = await asyncio.open_connection("127.0.0.1", self._upstream)
        ways = [
            asyncio.create_task(self._forward(client, requests, back)),
            asyncio.create_task(self._answer(answers, back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._carrying.pop(back, None)
            back.close()
            requests.close()

    async def _forward(
        self, client: asyncio.StreamReader, requests: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await client.read(65536):
            if b"/stream" in data.partition(b"\r\n")[0]:
                self.streams += 1
                self._carrying[back] = True
            requests.write(data)

    async def _answer(self, answers: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await answers.read(65536):
            if self._carrying.get(back, True):
                back.write(data)


@contextlib.asynccontextmanager
async def forgetful(upstream: str) -> AsyncGenerator[Forgetful]:
    """Such a proxy in front of the pod at that URL."""
    it = Forgetful(upstream)
    async with listening(it.serve) as server:
        it.url = f"http://127.0.0.1:{port_of(server)}"
        yield it
