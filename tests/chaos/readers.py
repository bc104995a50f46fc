"""Readers: lean clients of streams, hundreds in one process, that do what the protocol asks of a client."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httptools
import orjson

from events.model import TERMINAL_BYTES, Entry, EventId

AGAIN_SECONDS = 0.1
"""Between two connections: less than `retry:` says, for more trouble in less time."""

CONNECT_SECONDS = 5.0
"""After which another pod is tried: a network that is cut refuses nothing."""

NO_CONTENT = 204
GONE = (404, 410)


Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Gap:
    """A `stream.gap`: what lies between the two ids was lost; the first one may have been as well."""

    requested: EventId
    first_available: EventId


@dataclass(slots=True)
class Reader:
    """A client of one task's stream, which comes back to one pod after the other until the log has ended.

    Args:
        task_id: what to read.
        addresses: of the pods, host and port, in the order in which they are tried.
        query: what its requests have after the `?`.
        key: its API key, if it needs one.

    Attributes:
        entries: ids and data that it has; what a rewound log doesn't have is taken back.
        cursor: what it comes back with; empty at first.
        gaps: what it was told of lost entries.
        rewinds: how often it was told that the log was rolled back.
        shown: the ids of the terminal entries it ever saw.
        connections: how often it was let in.
        farewells: the times to come back after, in ms, by which pods that were going away sent it off.
        again_ms: the time to come back after, as it was told last; 0 before it was told one.
        left_at: when its last connection ended, on the monotonic clock.
        refused: the status that ended it, 404 or 410.
        sealed: it has come to the log's end.
    """

    task_id: str
    addresses: Sequence[Address]
    query: str = ""
    key: str = ""
    entries: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    cursor: bytes = b""
    gaps: list[Gap] = field(default_factory=list[Gap])
    rewinds: int = 0
    shown: set[bytes] = field(default_factory=set[bytes])
    connections: int = 0
    farewells: list[int] = field(default_factory=list[int])
    again_ms: int = 0
    left_at: float = 0.0
    refused: int = 0
    sealed: bool = False

    async def run(self) -> None:
        """Read until the end."""
        for address in itertools.cycle(self.addresses):
            await self._read(address)
            if self.sealed or self.refused:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def request(self) -> bytes:
        """What it asks of a pod, from where it is."""
        path = f"/tasks/{self.task_id}/stream?{self.query}".encode()
        more = b"Last-Event-ID: %b\r\n" % self.cursor if self.cursor else b""
        more += b"Authorization: Bearer %b\r\n" % self.key.encode() if self.key else b""
        return b"GET %b HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%b\r\n" % (path, more)

    def take(self, kind: bytes, event_id: bytes, data: bytes) -> None:
        """Take an event, or what the stream tells of itself."""
        self.cursor = event_id or self.cursor
        if kind == b"stream.gap":
            told = orjson.loads(data)
            self.gaps.append(Gap(EventId.parse(told["requested"]), EventId.parse(told["first_available"])))
        elif kind == b"stream.rewound":
            self.rewinds += 1
            last = EventId.parse(event_id)
            while self.entries and EventId.parse(self.entries[-1][0]) > last:
                self.entries.pop()
        else:
            self.entries.append((event_id, data))
            if kind in TERMINAL_BYTES:
                self.shown.add(event_id)
                self.sealed = True

    async def _read(self, address: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, exchange = await loop.create_connection(lambda: _Exchange(self), *address)
        except OSError:  # a time-out is one as well
            return
        try:
            await exchange.over
        finally:
            transport.abort()
        self.left_at = time.monotonic()
        if exchange.complete and exchange.retry_ms and not self.sealed:
            self.farewells.append(exchange.retry_ms)
        self.sealed = self.sealed or exchange.status == NO_CONTENT
        self.refused = exchange.status if exchange.status in GONE else 0


class _Exchange(asyncio.Protocol):
    """One request for the stream, and what is answered: the callbacks of httptools' parser.

    Attributes:
        over: done once the connection has ended.
        status: of HTTP; 0 before there is one.
        retry_ms: the `retry:` that no event has followed; 0 if one has.
        complete: the response came to its end.
    """

    def __init__(self, reader: Reader) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.retry_ms = 0
        self.complete = False
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._reader.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._reader.connections += self.status == 200

    def on_body(self, body: bytes) -> None:
        if self.status == 200:
            *frames, self._rest = (self._rest + body).split(b"\n\n")
            for frame in frames:
                self._take(frame)

    def on_message_complete(self) -> None:
        self.complete = True
        self._transport.close()

    def _take(self, frame: bytes) -> None:
        lines = [line.partition(b": ") for line in frame.split(b"\n")]
        fields = {name: value for name, _, value in lines}
        if b"retry" in fields:
            self.retry_ms = self._reader.again_ms = int(fields[b"retry"])
        if b"data" in fields:
            self.retry_ms = 0
            self._reader.take(fields[b"event"], fields.get(b"id", b""), fields[b"data"])


def differences(reader: Reader, entries: Sequence[Entry]) -> list[str]:
    """What a reader that came to the end has otherwise than the log, and wasn't told of; a sentence each."""
    has, log = dict(reader.entries), {entry.raw_id: entry.document for entry in entries}
    if reader.entries == list(log.items()):
        return []
    wrong: list[str] = []
    ids = [EventId.parse(raw_id) for raw_id, _ in reader.entries]
    if ids != sorted(set(ids)):
        wrong.append("has entries twice or out of order")
    other = [raw_id.decode() for raw_id in has.keys() & log.keys() if has[raw_id] != log[raw_id]]
    if other:
        wrong.append(f"has other data for {sorted(other)}")
    lacking = [event_id for event_id in _ids(log.keys() - has.keys()) if not _lost(reader, event_id)]
    if lacking:
        wrong.append(f"lacks {', '.join(map(str, lacking))}")
    surplus = [event_id for event_id in _ids(has.keys() - log.keys()) if not _taken_back(reader, event_id)]
    if surplus:
        wrong.append(f"has {', '.join(map(str, surplus))}, which the log hasn't")
    return wrong


def _ids(raw_ids: set[bytes]) -> list[EventId]:
    return sorted(map(EventId.parse, raw_ids))


def _lost(reader: Reader, event_id: EventId) -> bool:
    return any(gap.requested < event_id < gap.first_available for gap in reader.gaps)


def _taken_back(reader: Reader, event_id: EventId) -> bool:
    return any(event_id <= gap.requested for gap in reader.gaps)
