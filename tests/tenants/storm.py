"""A storm: thousands of requests by several tenants, many given up somewhere, and what came of each."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

CANARY = re.compile(rb"canary-([a-z]+)-[0-9a-f]{32}")
"""What each tenant puts into everything of its own, and what must never reach another."""

ASIDE = re.compile(rb"retry: \d+\n\n|: hb\n\n")
"""What streams say besides events, at times that nobody knows."""

SECONDS = 20
"""What no answer takes, however busy the machine is."""

_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Ask:
    """One thing to ask for, and the answer to it.

    Attributes:
        kind: a name for people.
        request: the bytes to send.
        status: of the answer.
        body: of the answer, less the `retry:` of a stream; None if it differs from time to time.
        until: what ends an answer that has no end of its own; empty if it has one.
    """

    kind: str
    request: bytes
    status: int = 0
    body: bytes | None = None
    until: bytes = b""


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        fates: how many were given up where, and how many weren't.
        broken: whole requests that got 500 or no answer, as those do whose handler was cancelled.
        cancelled: handlers that were.
        wrong: answers that weren't the right one, and what was wrong.
    """

    fates: Counter[str] = field(default_factory=Counter[str])
    broken: int = 0
    cancelled: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def sees(self, tenant: str, received: bytes) -> None:
        """Look for other tenants' canaries in what a tenant has got."""
        others = {found.decode() for found in CANARY.findall(received)} - {tenant}
        if others:
            self.wrong.append(f"{tenant} got what is {', '.join(others)}'s: {received[:300]!r}")


class Line:
    """One connection to the pod."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.received = bytearray()
        self._reader = reader

    async def some(self, most: int) -> None:
        """Receive something."""
        self.received += await self._reader.read(most)

    async def answer(self, ask: Ask) -> tuple[int, bytes]:
        """Receive one answer: its status and its body."""
        head = await self._keep(self._reader.readuntil(b"\r\n\r\n"))
        status, lower = int(head[9:12]), head.lower()
        length = re.search(rb"\r\ncontent-length: (\d+)", lower)
        if length is not None:
            return status, await self._keep(self._reader.readexactly(int(length[1])))
        if b"transfer-encoding: chunked" in lower:
            return status, await self._chunks(ask.until)
        return status, b""

    async def _chunks(self, until: bytes) -> bytes:
        body = b""
        while size := int(await self._keep(self._reader.readuntil(b"\r\n")), 16):
            body += (await self._keep(self._reader.readexactly(size + 2)))[:-2]
            if until and until in body:
                return body
        await self._keep(self._reader.readexactly(2))
        return body

    async def _keep(self, reading: Any) -> bytes:
        data = await reading
        self.received += data
        return data

    async def drop(self, *, reset: bool) -> None:
        """Leave, gently or with a reset."""
        if reset and not self.writer.is_closing():
            plug: socket.socket = self.writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.writer.transport.abort()
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Line]:
    """A connection; whether it's closed or reset at the end is left to chance."""
    place = urlsplit(url)
    line = Line(*await asyncio.open_connection(place.hostname, place.port, limit=2**20))
    try:
        yield line
    finally:
        await line.drop(reset=random.random() < 0.5)


async def give_up(line: Line, ask: Ask, fate: str) -> None:
    """Begin a request, and leave in the middle of it."""
    if fate == "sending":
        line.writer.write(ask.request[: random.randrange(len(ask.request))])
        await turns(random.randrange(4))
        return
    line.writer.write(ask.request)
    if fate == "waiting":
        await turns(random.randrange(60))
    else:
        await line.some(random.randrange(1, 4000))


async def turns(count: int) -> None:
    """Let everybody else have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def have(line: Line, ask: Ask, tally: Tally) -> bool:
    """Make a request whole and check its answer; gives whether the connection can take another."""
    tally.fates["whole"] += 1
    line.writer.write(ask.request)
    try:
        async with asyncio.timeout(SECONDS):
            status, body = await line.answer(ask)
    except TimeoutError:
        tally.wrong.append(f"{ask.kind}: no answer within {SECONDS} s, but {bytes(line.received[-300:])!r}")
        return False
    except (OSError, asyncio.IncompleteReadError):
        tally.broken += 1
        return False
    if status == 500:
        tally.broken += 1
        return False
    found = ASIDE.sub(b"", body)
    if status != ask.status or ask.body not in (None, found):
        tally.wrong.append(
            f"{ask.kind}: {status}, due was {ask.status}; {difference(found, ask.body or b'')}"
        )
    return b"connection: close" not in line.received.lower() and not ask.until


def difference(got: bytes, due: bytes) -> str:
    """Where two bodies part."""
    common = min(len(got), len(due))
    place = next((at for at in range(common) if got[at] != due[at]), common)
    part = slice(max(place - 100, 0), place + 200)
    return f"{len(got)} and {len(due)} bytes part at {place}: {got[part]!r}, due was {due[part]!r}"


async def client(url: str, asks: Mapping[str, Sequence[Ask]], share: int, tally: Tally) -> None:
    """Make so many requests, over one connection after the other, each as one tenant."""
    while share > 0:
        tenant = random.choice(list(asks))
        async with connected(url) as line:
            for _ in range(random.randrange(1, 5)):
                ask, share = random.choice(asks[tenant]), share - 1
                fate = random.choice(
                    ["whole", "whole", "whole", "sending", "waiting", "waiting", "answering"]
                )
                if fate == "whole" and await have(line, ask, tally):
                    continue
                if fate != "whole":
                    tally.fates[fate] += 1
                    with contextlib.suppress(OSError):
                        await give_up(line, ask, fate)
                break
            tally.sees(tenant, bytes(line.received))


async def cancel_handlers(tally: Tally) -> None:
    """Cancel the handlers of requests, anybody's and anywhere but each once, until cancelled.

    A pod by itself lets most handlers end when their clients go. A server or a middleware that cancels them,
    or a time limit, meets Redis's connections at any point as well. One that hasn't begun is left alone:
    uvicorn would never hear of its end.
    """
    met = WeakSet[asyncio.Task[Any]]()
    while True:
        await turns(random.randrange(1, 40))
        running = [task for task in asyncio.all_tasks() if task not in met and _is_handler(task)]
        if running:
            chosen = random.choice(running)
            met.add(chosen)
            tally.cancelled += chosen.cancel()


def _is_handler(task: asyncio.Task[Any]) -> bool:
    run: Any = task.get_coro()
    named = getattr(run, "__qualname__", "") == "RequestResponseCycle.run_asgi"
    return named and inspect.getcoroutinestate(run) == inspect.CORO_SUSPENDED
