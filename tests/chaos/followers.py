"""Followers: readers that come back as an EventSource does, when they were told to, and note how it went."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.readers import Reader

UNTOLD_SECONDS = 3.0
"""A browser's time to come back after, before it was told another one."""

BUCKET_SECONDS = 0.1
"""Of time, in which those who come back are counted."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """A stream that ended before its log, until the next event came.

    Attributes:
        began: when the stream's last byte came, on the monotonic clock.
        seconds: from then to the next event, through all that was tried.
        attempts: how often the follower had to connect for that; 1 if the first one had it back.
    """

    began: float
    seconds: float
    attempts: int


@dataclass(slots=True)
class Follower(Reader):
    """A reader that obeys `retry:` and always goes to the same place, behind which pods come and go.

    Attributes:
        due: when it was told to connect, each time but the first, on the monotonic clock.
        attempts: when it did, which is later as far as this process was busy with others.
        interruptions: of its stream, in order.
    """

    due: list[float] = field(default_factory=list[float])
    attempts: list[float] = field(default_factory=list[float])
    interruptions: list[Interruption] = field(default_factory=list[Interruption])
    _since: float | None = None
    _tries: int = 0

    async def run(self) -> None:
        """Follow until the end."""
        while True:
            await self._read(self.addresses[0])
            if self.sealed or self.refused:
                return
            if self._since is None:
                self._since = self.left_at or time.monotonic()
            wait = self.again_ms / 1000 or UNTOLD_SECONDS
            self.due.append(time.monotonic() + wait)
            await asyncio.sleep(wait)
            self.attempts.append(time.monotonic())
            self._tries += 1

    def take(self, kind: bytes, event_id: bytes, data: bytes) -> None:
        """Take an event; the first one ends an interruption."""
        if self._since is not None:
            self.interruptions.append(Interruption(self._since, time.monotonic() - self._since, self._tries))
            self._since, self._tries = None, 0
        Reader.take(self, kind, event_id, data)  # super() doesn't know the class that `slots` makes


@dataclass(frozen=True, slots=True)
class Wave:
    """Those who came back in a stretch of time.

    Attributes:
        count: how many.
        seconds: from the first to the last.
        peak: how many in the fullest tenth of a second.
    """

    count: int
    seconds: float
    peak: int

    @property
    def ratio(self) -> float:
        """The peak over the mean of a tenth of a second, from the first to the last."""
        return self.peak / self.count * max(1, math.ceil(self.seconds / BUCKET_SECONDS))


def wave(attempts: Sequence[float], begin: float, end: float) -> Wave | None:
    """The attempts between two moments; None if there were none."""
    times = sorted(attempt for attempt in attempts if begin <= attempt < end)
    if not times:
        return None
    buckets = Counter(int((attempt - times[0]) / BUCKET_SECONDS) for attempt in times)
    return Wave(len(times), times[-1] - times[0], max(buckets.values()))
