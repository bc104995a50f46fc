"""What goes over the wire, byte for byte: open streams, raw requests, and a Redis that can be away."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Mapping

import httpx

from tests.support.pods import RunningPod
from tests.support.sockets import begin

EVENT_STREAM = {"Accept": "text/event-stream"}
_RETRY = re.compile(rb"retry: (\d+)\n\n")
_PASSING = re.compile(rb"retry: (\d+)\n\n: [^\n]+\n\n")


class Wire:
    """An open stream's response, and the bytes of its body so far."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.body = b""
        self._chunks = response.aiter_raw()

    async def until(self, marker: bytes, seconds: float = 30) -> bytes:
        """Read on until the body holds those bytes; gives all of it so far."""
        async with asyncio.timeout(seconds):
            while marker not in self.body:
                self.body += await anext(self._chunks)
        return self.body

    async def rest(self, seconds: float = 30) -> bytes:
        """Read until the server ends it; gives all of it."""
        async with asyncio.timeout(seconds):
            async for chunk in self._chunks:
                self.body += chunk
        return self.body


@contextlib.asynccontextmanager
async def listen(
    pod: RunningPod,
    task_id: str,
    after: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> AsyncGenerator[Wire]:
    """Open a task's stream; leaving closes it."""
    cursor = {} if after is None else {"Last-Event-ID": after}
    request = pod.client.stream(
        "GET", f"/tasks/{task_id}/stream", headers={**cursor, **(headers or {})}, params=params
    )
    async with request as response:
        wire = Wire(response)
        yield wire
        await response.aclose()


def after_retry(body: bytes) -> bytes:
    """A stream's body without its `retry:`, which must be the first thing, once, and within 1 to 3 s."""
    match = _RETRY.match(body)
    assert match is not None, body[:100]
    assert 1000 <= int(match[1]) <= 3000
    assert body.count(b"retry:") == 1
    return body[match.end() :]


def assert_passing(body: bytes) -> None:
    """These are the last words to a client that shall come back, in a while: when, and why."""
    assert 2000 <= _comes_back(body) <= 10_000


def assert_farewell(body: bytes) -> None:
    """These are the last words to a client that another pod serves: when to come back, soon, and why."""
    assert 500 <= _comes_back(body) <= 1500


def _comes_back(body: bytes) -> int:
    match = _PASSING.fullmatch(body)
    assert match is not None, body[:200]
    return int(match[1])


async def exchange(pod: RunningPod, request: bytes) -> bytes:
    """What the pod answers to those bytes, until it closes."""
    client = await begin(pod.url, request)
    try:
        async with asyncio.timeout(30):
            return await client.reader.read()
    finally:
        await client.leave()
