"""Clients of streams by the hundred: one transport each, taken apart by httptools and not by our own code."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urlsplit

from httptools import HttpResponseParser

from events.model import Entry, EventId
from tests.support.logs import frames
from tests.support.wire import after_retry

_ID = re.compile(rb"^id: (\d+-\d+)$", re.MULTILINE)
_AT_ONCE = struct.pack("ii", 1, 0)


class Client(asyncio.Protocol):
    """One connection that asks for one stream.

    Attributes:
        status: of the response; 0 before its head has come.
        body: what has come of it so far, without the marks of its chunks.
        headed: set with the head.
        over: set once the response or the connection has ended.
        whole: whether the response came to its end.
    """

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()
        self.headed = asyncio.Event()
        self.over = asyncio.Event()
        self.whole = False
        self._heard = asyncio.Event()
        self._parser = HttpResponseParser(self)
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        self._parser.feed_data(data)
        self._heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self.headed.set()
        self.over.set()
        self._heard.set()

    def on_headers_complete(self) -> None:
        """Part of httptools' protocol."""
        self.status = self._parser.get_status_code()
        self.headed.set()

    def on_body(self, body: bytes) -> None:
        """Part of httptools' protocol."""
        self.body += body

    def on_message_complete(self) -> None:
        """Part of httptools' protocol."""
        self.whole = True
        self._transport.close()

    @property
    def ids(self) -> list[str]:
        """All ids it got, in order."""
        return [found.decode() for found in _ID.findall(self.body)]

    @property
    def count(self) -> int:
        """How many ids it got."""
        return self.body.count(b"\nid: ")

    @property
    def last_id(self) -> str:
        """The newest of them, also if its frame isn't whole yet; empty if there is none."""
        at = self.body.rfind(b"\nid: ")
        return self.body[at + 5 : at + 50].partition(b"\n")[0].decode() if at >= 0 else ""

    async def gets(self, event_id: EventId) -> None:
        """Wait until that is the newest id; fails when the connection ends before."""
        async with asyncio.timeout(30):
            while self.last_id != str(event_id):
                assert not self.over.is_set(), f"it ended with {self.last_id}, before {event_id}"
                self._heard.clear()
                await self._heard.wait()

    def leave(self) -> None:
        """Go without a word."""
        self._transport.abort()

    def reset(self) -> None:
        """Go with a reset, as a process that was killed with unread data does."""
        if not self._transport.is_closing():
            plug: socket.socket = self._transport.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._transport.abort()

    def stop_reading(self) -> None:
        """Leave what comes in the socket."""
        self._transport.pause_reading()

    def read_on(self) -> None:
        """Take what is there, and all that comes."""
        self._transport.resume_reading()


async def dial(url: str, request: bytes, window: int | None = None) -> Client:
    """Connect and send those bytes; the receive buffer can be made small, so that it is soon full."""
    place, loop = urlsplit(url), asyncio.get_running_loop()
    plug = socket.socket()
    plug.setblocking(False)
    if window is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    await loop.sock_connect(plug, (place.hostname, place.port))
    transport, client = await loop.create_connection(Client, sock=plug)
    transport.write(request)
    return client


def stream_request(task_id: str, after: str | None = None, query: str = "") -> bytes:
    """What an EventSource asks for a task's stream, as it goes over the wire."""
    cursor = "" if after is None else f"Last-Event-ID: {after}\r\n"
    headers = f"Host: localhost\r\nAccept: text/event-stream\r\n{cursor}"
    return f"GET /tasks/{task_id}/stream{query} HTTP/1.1\r\n{headers}\r\n".encode()


async def ask(
    url: str, task_id: str, after: str | None = None, *, query: str = "", window: int | None = None
) -> Client:
    """Ask for a stream; the client is there once the head of the response is."""
    client = await dial(url, stream_request(task_id, after, query), window)
    await client.headed.wait()
    return client


@contextlib.asynccontextmanager
async def crowd() -> AsyncGenerator[list[Client]]:
    """A list for clients; who is in it at the end leaves."""
    clients: list[Client] = []
    try:
        yield clients
    finally:
        for client in clients:
            client.leave()
        await all_over(clients)


async def all_over(clients: Sequence[Client]) -> None:
    """Wait until every client has had its response, or lost its connection."""
    for client in clients:
        await client.over.wait()


def assert_holds(client: Client, expected: Sequence[Entry]) -> None:
    """The body is exactly that: a `retry:`, and the entries' frames, byte for byte."""
    got, due = after_retry(bytes(client.body)), frames(expected)
    if got == due:
        return
    common = min(len(got), len(due))
    place = next((at for at in range(common) if got[at] != due[at]), common)
    context = slice(max(place - 150, 0), place + 150)
    raise AssertionError(
        f"{len(got)} bytes, {len(due)} due, differ at {place}: got …{got[context]!r}, due …{due[context]!r}"
    )
