"""The live end of one task's log, shared by its readers. Synchronous: a hand-over is one event-loop step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events import metrics
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
    """Where a follower's bytes go.

    Attributes:
        gone: nobody is there to take them any more.
    """

    gone: bool

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

    Readers in `live` have everything up to `position`; those in `ahead` have read further by themselves, and
    those in `coming` not yet so far. The position was right in that `history` (`Pump.history`); since
    `away_since`, on the monotonic clock, the log couldn't be read.
    """

    codec: Codec
    position: EventId
    coming: set[Reader] = field(default_factory=set["Reader"])
    live: dict[Reader, None] = field(default_factory=dict["Reader", None])
    ahead: dict[Reader, EventId] = field(default_factory=dict["Reader", EventId])
    history: object = None
    away_since: float | None = None

    @property
    def joined(self) -> bool:
        """Whether anybody has joined."""
        return bool(self.live or self.ahead)

    @property
    def deserted(self) -> bool:
        """Whether nobody has joined, and nobody comes."""
        return not (self.live or self.ahead or self.coming)

    def join(self, reader: Reader, position: EventId) -> bool:
        """Take over a reader that has everything up to `position`; False if it must read on first."""
        if not self.joined:
            self.position = position
        if position < self.position:
            return False
        self.coming.discard(reader)
        if position == self.position:
            self.live[reader] = None
        else:
            self.ahead[reader] = position
        return True

    def leave(self, reader: Reader) -> None:
        """Deliver nothing more to that reader."""
        self.coming.discard(reader)
        self.live.pop(reader, None)
        self.ahead.pop(reader, None)

    def deliver(self, entries: list[Entry]) -> None:
        """Hand on the next entries, encoded once; they are dense from the position."""
        before, self.position = self.position, entries[-1].id
        if self.live:
            data = self.codec.entries(entries)
            for reader in list(self.live):
                reader.push(data)
            metrics.delivered(entries, len(self.live))
        for reader, own in list(self.ahead.items()):
            if own <= self.position:
                known = [entry.id for entry in entries if entry.id <= own]
                last = known[-1] if known else before
                self._bring_back(reader, Rewound(own, last) if last < own else None)
                if rest := entries[len(known) :]:
                    reader.push(self.codec.entries(rest))
                    metrics.delivered(rest, 1)
        if entries[-1].terminal:
            self.end()

    def move(self, position: EventId, notice: Gap | Rewound) -> None:
        """Go on elsewhere, and tell all readers whom it concerns why."""
        self.position = position
        data = self.codec.notice(notice)
        for reader in list(self.live):
            reader.push(data)
        metrics.told(notice, len(self.live))
        for reader, own in list(self.ahead.items()):
            if isinstance(notice, Rewound):
                self._bring_back(reader, Rewound(own, notice.last))
            elif own <= position:
                missing = position.seq - own.seq
                self._bring_back(reader, Gap(own, notice.first_available, missing) if missing else None)

    def end(self, farewell: bytes = b"") -> None:
        """Tell all who have joined that nothing more comes."""
        readers = [*self.live, *self.ahead]
        self.live.clear()
        self.ahead.clear()
        for reader in readers:
            reader.end(farewell)

    def _bring_back(self, reader: Reader, notice: Gap | Rewound | None) -> None:
        """Let a reader that was ahead go on with the others."""
        if notice is not None:
            reader.push(self.codec.notice(notice))
            metrics.told(notice)
        del self.ahead[reader]
        self.live[reader] = None
