"""2,000 clients on 1,000 tasks: each event is for two clients alone, and each task rings for itself."""

from __future__ import annotations

from bench.contenders import Taskreel
from bench.fan_out.arena import arena, play
from bench.fan_out.compared import latencies
from bench.fan_out.work import Work
from bench.figures import Finding, at_most

ROUNDS = 3
SECONDS = 4.0
QUICK_SECONDS = 1.0


def measure(quick: bool) -> list[Finding]:
    """Three times on one pod."""
    work = Work(clients=2000, tasks=1000, rate=1000, seconds=QUICK_SECONDS if quick else SECONDS)
    with arena(Taskreel()) as it:
        outcomes = [play(it, work) for _ in range(1 if quick else ROUNDS)]
    return list(latencies(outcomes, at_most(0.5), at_most(5)))
