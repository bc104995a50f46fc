"""The live end of one task's log, shared by its readers. Synchronous: a hand-over is one event-loop step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events.model import Entry, EventId
from events.position import Gap, Rewound


class Codec(Protocol):
    """How entries and notices look to this process's readers. Pure."""

    def entries(self, entries: Sequence[Entry]) -> bytes:
        """Some entries, oldest first."""
        ...

    def notice(self, notice: Gap | Rewound) -> bytes:
        """What a reader must be told of its position."""
        ...


class Reader(Protocol):
    """Where a follower's bytes go."""

    def push(self, data: bytes) -> None:
        """Take bytes now, without waiting."""
        ...

    async def send(self, data: bytes) -> bool:
        """Take bytes as fast as the receiver reads. False once it has gone."""
        ...

    def end(self, farewell: bytes = b"") -> None:
        """Nothing more comes."""
        ...


@dataclass(slots=True, eq=False)
class Tail:
    """Where the shared reading of a log is, and who gets what comes next.

    Readers in `live` have everything up to `position`; those in `ahead` have read further by themselves.
    `missed` says that the bell rang while nobody had joined.
    """

    codec: Codec
    position: EventId
    followers: int = 0
    missed: bool = False
    live: dict[Reader, None] = field(default_factory=dict["Reader", None])
    ahead: dict[Reader, EventId] = field(default_factory=dict["Reader", EventId])

    @property
    def readers(self) -> list[Reader]:
        """All that have joined."""
        return [*self.live, *self.ahead]

    def join(self, reader: Reader, position: EventId) -> bool:
        """Take over a reader that has everything up to `position`; False if it must read on first."""
        if not self.live and not self.ahead:
            self.position = position
        if position < self.position:
            return False
        if position == self.position:
            self.live[reader] = None
        else:
            self.ahead[reader] = position
        return True

    def leave(self, reader: Reader) -> None:
        """Deliver nothing more to that reader."""
        self.live.pop(reader, None)
        self.ahead.pop(reader, None)

    def deliver(self, entries: list[Entry]) -> None:
        """Hand on the next entries, encoded once; they are dense from the position."""
        self.position = entries[-1].id
        if self.live:
            data = self.codec.entries(entries)
            for reader in list(self.live):
                reader.push(data)
        for reader, position in list(self.ahead.items()):
            rest = [entry for entry in entries if entry.id > position]
            if rest:
                reader.push(self.codec.entries(rest))
            if self.position >= position:
                del self.ahead[reader]
                self.live[reader] = None
        if entries[-1].terminal:
            self.end()

    def move(self, position: EventId, notice: Gap | Rewound) -> None:
        """Go on elsewhere, and tell all readers why."""
        self.position = position
        data = self.codec.notice(notice)
        for reader in self.readers:
            reader.push(data)
        self.live.update(dict.fromkeys(self.ahead))
        self.ahead.clear()

    def end(self, farewell: bytes = b"") -> None:
        """Tell all readers that nothing more comes."""
        readers = self.readers
        self.live.clear()
        self.ahead.clear()
        for reader in readers:
            reader.end(farewell)
