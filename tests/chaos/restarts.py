"""What a rolling restart has shown of its followers, and the bars for it. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import nearest_rank
from tests.chaos.followers import Follower, Wave, wave

MOST_SECONDS = 5.0
"""What 99 of 100 interruptions may take at most."""

MOST_RATIO = 3.0
"""How many times the mean may come back in the fullest tenth of a second."""


@dataclass(slots=True)
class Restarts:
    """When what happened, on the monotonic clock.

    Attributes:
        asked: when each pod got its SIGTERM, and when all was over.
        drains: seconds from each SIGTERM to the end of the process.
        starts: seconds from each start to readiness.
        proxy_bytes: by which nginx grew for each stream, at first.
        proxy_cpu: seconds of CPU that nginx took in all.
    """

    asked: list[float] = field(default_factory=list[float])
    drains: list[float] = field(default_factory=list[float])
    starts: list[float] = field(default_factory=list[float])
    proxy_bytes: float = 0.0
    proxy_cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Args:
        followers: at the end.
        restarts: of the pods.
    """

    followers: Sequence[Follower]
    restarts: Restarts

    @property
    def figures(self) -> dict[str, str]:
        """For the table."""
        futile = sum(one.attempts - 1 for follower in self.followers for one in follower.interruptions)
        count = sum(len(follower.interruptions) for follower in self.followers)
        p50, p99, most = (self._interrupted(percent) for percent in (50, 99, 100))
        return {
            "entries received": f"{self._entries:,}",
            "interruptions": f"{count:,}, p50 {p50:.2f} s, p99 {p99:.2f} s, most {most:.2f} s",
            "attempts in vain": str(futile),
            "told to come back in the fullest 0.1 s, of the mean": _ratio_text(self._told),
            "came back so": _ratio_text(self._came),
            "SIGTERM to the end": ", ".join(f"{drain:.1f} s" for drain in self.restarts.drains),
            "start to readiness": ", ".join(f"{start:.1f} s" for start in self.restarts.starts),
            **self._proxy,
        }

    @property
    def missed(self) -> list[str]:
        """The bars that weren't met, a sentence each."""
        p99, ratio = self._interrupted(99), _ratio(self._came)
        late = [f"p99 of the interruptions is {p99:.2f} s"] if p99 > MOST_SECONDS else []
        return late + ([f"{ratio:.2f} times the mean came back"] if ratio > MOST_RATIO else [])

    @property
    def _entries(self) -> int:
        return sum(len(follower.entries) for follower in self.followers)

    @property
    def _told(self) -> list[Wave]:
        return self._waves([time for follower in self.followers for time in follower.due])

    @property
    def _came(self) -> list[Wave]:
        return self._waves([time for follower in self.followers for time in follower.attempts])

    @property
    def _proxy(self) -> dict[str, str]:
        if not self.restarts.proxy_cpu:
            return {}
        each = f"{1e6 * self.restarts.proxy_cpu / self._entries:.0f} µs of CPU an entry"
        return {"nginx": f"{self.restarts.proxy_bytes / 1000:.1f} kB a stream, {each}"}

    def _interrupted(self, percent: float) -> float:
        seconds = [one.seconds for follower in self.followers for one in follower.interruptions]
        return nearest_rank(seconds or [0.0], percent)

    def _waves(self, times: Sequence[float]) -> list[Wave]:
        """Those of each pod: from its SIGTERM to the next one's."""
        found = [wave(times, *edges) for edges in itertools.pairwise(self.restarts.asked)]
        return [it for it in found if it is not None]


def _ratio(waves: Sequence[Wave]) -> float:
    return max((it.ratio for it in waves), default=0.0)


def _ratio_text(waves: Sequence[Wave]) -> str:
    each = "; ".join(f"{it.count} in {it.seconds:.1f} s, most {it.peak}" for it in waves)
    return f"{_ratio(waves):.2f}; {each}"
