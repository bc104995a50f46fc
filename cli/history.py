"""Reading a task's history: NDJSON from a pod, and gone on with at the next one when that breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import httpx

from cli.answers import broken_off, check
from cli.backoff import Backoff
from cli.failures import Passing
from cli.pods import Pods
from cli.wire import Event, event_id, load_event

ROUNDS = 3
"""How often each pod is tried in a row before history is given up."""

MEDIA_TYPE = "application/x-ndjson"


class History:
    """Reads the events there are now, each once, however often the connection breaks.

    Args:
        http: the connections.
        pods: who can be asked.
        path: of the history, such as `/tasks/0190…/events`.
        parameters: of the query, without `after`.
    """

    def __init__(self, http: httpx.AsyncClient, pods: Pods, path: str, parameters: dict[str, str]) -> None:
        self._http = http
        self._pods = pods
        self._path = path
        self._parameters = parameters
        self._backoff = Backoff(len(pods))

    async def read(self, after: str | None) -> AsyncGenerator[Event]:
        """The events after a cursor. Raises ClientError."""
        cursor = after
        while True:
            try:
                async with aclosing(self._answer(cursor)) as events:
                    async for event in events:
                        cursor = event_id(event)
                        self._backoff.succeed()
                        yield event
                return
            except Passing as trouble:
                await self._wait(trouble)

    async def _answer(self, cursor: str | None) -> AsyncGenerator[Event]:
        parameters = self._parameters | ({"after": cursor} if cursor else {})
        headers = {"Accept": MEDIA_TYPE}
        url = self._pods.current + self._path
        with broken_off():
            async with self._http.stream("GET", url, params=parameters, headers=headers) as response:
                self._pods.reached = True
                await check(response, MEDIA_TYPE)
                async with aclosing(_lines(response.aiter_bytes())) as lines:
                    async for line in lines:
                        yield load_event(line)

    async def _wait(self, trouble: Passing) -> None:
        seconds = self._backoff.fail(trouble.asked)
        most = len(self._pods) * (ROUNDS if self._pods.reached else 1)
        if self._backoff.failures >= most:
            raise self._pods.final(trouble) from trouble
        self._pods.advance()
        await asyncio.sleep(seconds)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Lines end at b"\n" alone: httpx's own would split inside a JSON string that holds U+2028."""
    rest: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for other in others:
            yield b"".join(rest)
            rest = [other]
    if any(rest):
        yield b"".join(rest)
