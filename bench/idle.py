"""What an idle worker and an idle pod ask of Redis, by Redis's own count; each has a server of its own."""

from __future__ import annotations

import time
from collections import Counter

from bench import system
from bench.figures import Figure, at_most
from bench.measured import calls

SECONDS = 20.0
QUICK_SECONDS = 10.0
SETTLE_SECONDS = 2.0


def measure(quick: bool) -> list[Figure]:
    """Let both be idle at the same time, for as long as one or two of the worker's announcements."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with system.valkey() as first, system.worker(first), system.valkey() as second, system.pod(second):
        time.sleep(SETTLE_SECONDS)
        before = calls(first), calls(second)
        time.sleep(seconds)
        worker, pod = calls(first) - before[0], calls(second) - before[1]
    return [
        Figure("idle: worker", worker.total() / seconds, "commands/s", at_most(5), _note(worker, seconds)),
        Figure("idle: pod", pod.total() / seconds, "commands/s", None, _note(pod, seconds)),
    ]


def _note(called: Counter[str], seconds: float) -> str:
    found = ", ".join(f"{count} {name}" for name, count in called.most_common())
    return f"in {seconds:g} s: {found or 'nothing'}"
