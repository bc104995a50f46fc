"""Readers of a tailer's that keep what they get, and a codec that people can read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from events.model import Entry, EventId
from events.position import Gap, Rewound
from events.tail import Reader
from events.tailer import Tailer


class Plain:
    """Entries as their ids, notices as words."""

    def entries(self, entries: Sequence[Entry]) -> bytes:
        """`1-2 1-3 `."""
        return b"".join(entry.raw_id + b" " for entry in entries)

    def notice(self, notice: Gap | Rewound) -> bytes:
        """`gap:3 ` or `rewound:1-5 `."""
        return (
            f"gap:{notice.missing} ".encode()
            if isinstance(notice, Gap)
            else f"rewound:{notice.last} ".encode()
        )


class Collector:
    """A reader that keeps what it gets."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.ended = False
        self.gone = False
        self.pace = 0.0

    def push(self, data: bytes) -> None:
        """Keep."""
        assert not self.ended
        self.words += data.decode().split()

    async def send(self, data: bytes) -> bool:
        """Keep, at leisure."""
        await asyncio.sleep(self.pace)
        self.push(data)
        return True

    def end(self, farewell: bytes = b"") -> None:
        """Note the end."""
        self.words += farewell.decode().split()
        self.ended = True

    @property
    def seqs(self) -> list[int]:
        """The seqs it got."""
        return [int(word.partition("-")[2]) for word in self.words]


@contextlib.asynccontextmanager
async def following(tailer: Tailer, task_id: str, position: EventId, reader: Reader) -> AsyncGenerator[None]:
    """Follow until the end of the context."""
    try:
        await tailer.follow(task_id, position, reader)
        yield
    finally:
        tailer.leave(task_id, reader)
