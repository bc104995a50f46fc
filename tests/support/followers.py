"""What an EventSource does, in small: it comes back with its cursor until it has the end of the log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import orjson

from events.model import START, Entry, EventId
from tests.support.clients import Client, ask
from tests.support.waiting import wait_until

_EVENT = re.compile(rb"(?:id: ([^\n]+)\n)?event: ([^\n]+)\ndata: ([^\n]+)")


class Follower:
    """A client that keeps its copy of a log in line with what it is told.

    Attributes:
        held: its copy, from the log's start.
        rewinds: how often it was told that the log was rolled back.
        visits: how many connections it has made.
    """

    def __init__(self, held: Sequence[Entry] = ()) -> None:
        self.held = list(held)
        self.rewinds = 0
        self.visits = 0
        self._client: Client | None = None
        self._forgotten = 0

    @property
    def cursor(self) -> EventId:
        """The id of the last event it has."""
        return self.held[-1].id if self.held else START

    @property
    def sealed(self) -> bool:
        """Whether it has the terminal event."""
        return bool(self.held) and self.held[-1].terminal

    @property
    def newest(self) -> str:
        """The last id that has come over the connection it has now."""
        return self._client.last_id if self._client is not None else ""

    async def follow(self, *urls: str, task_id: str) -> None:
        """Follow to the end of the log, at one pod after the other."""
        while not self.sealed:
            await self.visit(urls[self.visits % len(urls)], task_id)
            await asyncio.sleep(0.01)  # a pod may answer that Redis is away

    async def visit(self, url: str, task_id: str, most: int | None = None) -> None:
        """Follow over one connection, to its end or until so many events have come."""
        client = self._client = await ask(url, task_id, str(self.cursor) if self.held else None)
        self.visits += 1
        if most is not None:
            await wait_until(lambda: client.over.is_set() or client.count >= most)
            client.leave()
        await client.over.wait()
        assert client.status in (0, 200), client.status
        self.take(bytes(client.body))
        if self._forgotten:
            del self.held[-self._forgotten :]
            self._forgotten = 0
        self._client = None

    def drop(self, forget: int = 0) -> None:
        """Lose the connection, and with it the last few events, as a client that hadn't stored them yet."""
        if self._client is not None:
            self._forgotten = forget
            self._client.leave()

    def take(self, body: bytes) -> None:
        """Take the whole frames of a body: events must be dense, and only a rewind may go back."""
        for frame in body.split(b"\n\n")[:-1]:
            match = _EVENT.fullmatch(frame)
            if match is None:
                assert frame.startswith((b"retry: ", b": ")), frame[:200]
                continue
            assert match[1] is not None, frame[:200]  # a gap: nothing here may lose an event for good
            if match[2] == b"stream.rewound":
                self._rewind(EventId.parse(match[1]), orjson.loads(match[3]))
            else:
                self._append(Entry(match[1], match[2], match[3]))

    def _append(self, entry: Entry) -> None:
        assert entry.id.seq == self.cursor.seq + 1, f"{entry.id} after {self.cursor}"
        assert entry.id > self.cursor, f"{entry.id} after {self.cursor}"
        assert not self.sealed, f"{entry.id} after the end"
        self.held.append(entry)

    def _rewind(self, last: EventId, notice: dict[str, str]) -> None:
        assert notice == {"requested": str(self.cursor), "last": str(last)}, (notice, str(self.cursor), last)
        assert last < self.cursor, f"rewound from {self.cursor} to {last}"
        self.held = [entry for entry in self.held if entry.id <= last]
        self.rewinds += 1
