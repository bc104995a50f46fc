"""Unconfirmed: what Redis has acknowledged and may still lose, because its disk need not have it yet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from events.writer import AttemptWriter, Write

MAX_BYTES = 32 * 1024 * 1024
"""What is remembered at most, of documents; a loss beyond that shows as a gap."""


@dataclass(frozen=True, slots=True)
class _Batch:
    at: float
    writes: tuple[Write, ...]
    size: int


class Unconfirmed:
    """Remembers entries, oldest first, until they are confirmed, in bounded memory."""

    def __init__(self) -> None:
        self._batches: deque[_Batch] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._batches)

    def add(self, writes: Iterable[Write]) -> None:
        """Remember entries that Redis has acknowledged just now."""
        self._add(time.monotonic(), writes)

    def confirm(self, before: float) -> None:
        """Forget what was acknowledged before that time; it's safe."""
        while self._batches and self._batches[0].at < before:
            self._drop()

    def writers(self) -> set[AttemptWriter]:
        """Whose entries are remembered."""
        return {write.writer for batch in self._batches for write in batch.writes}

    def take(self, writers: Collection[AttemptWriter]) -> dict[AttemptWriter, list[Write]]:
        """Forget what those writers have written; gives it, oldest first."""
        taken: dict[AttemptWriter, list[Write]] = {writer: [] for writer in writers}
        batches, self._batches, self._size = self._batches, deque(), 0
        for batch in batches:
            others = list[Write]()
            for write in batch.writes:
                taken.get(write.writer, others).append(write)
            self._add(batch.at, others)
        return taken

    def _add(self, at: float, writes: Iterable[Write]) -> None:
        batch = tuple(writes)
        if not batch:
            return
        size = sum([len(write.document) for write in batch])
        self._batches.append(_Batch(at, batch, size))
        self._size += size
        while self._size > MAX_BYTES:
            self._drop()

    def _drop(self) -> None:
        self._size -= self._batches.popleft().size
