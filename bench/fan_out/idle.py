"""10,000 clients on 1,000 tasks on which nothing happens: what a connection costs that waits."""

from __future__ import annotations

import time

from bench.contenders import Taskreel
from bench.fan_out.arena import Arena, arena
from bench.figures import Figure, Finding, at_most

CLIENTS, TASKS = 10_000, 1_000
QUICK_CLIENTS, QUICK_TASKS = 1_000, 100
SECONDS = 20.0
QUICK_SECONDS = 3.0
SETTLE_SECONDS = 2.0


def measure(quick: bool) -> list[Finding]:
    """Connect them, and wait."""
    clients, tasks = (QUICK_CLIENTS, QUICK_TASKS) if quick else (CLIENTS, TASKS)
    what = f"fan-out: {clients:,} idle clients, {tasks:,} tasks"
    with (
        arena(Taskreel()) as it,
        it.publisher(tasks) as publisher,
        it.clients(clients, publisher.tasks) as crowd,
    ):
        connecting = crowd.wait_until_ready()
        time.sleep(SETTLE_SECONDS)
        memory = (it.measured.resident() - it.held) / clients / 1000
        figures = _wait(it, what, QUICK_SECONDS if quick else SECONDS)
    note = f"over {it.held / 1e6:.0f} MB without; connected in {connecting:.1f} s"
    return [Figure(f"{what}: memory a connection", memory, "kB", at_most(12), note), *figures]


def _wait(it: Arena, what: str, seconds: float) -> list[Figure]:
    """Over at least one heartbeat, unless it's quick."""
    _, before = it.measured.redis()
    cpu = it.measured.cpu_seconds()
    time.sleep(seconds)
    cpu = it.measured.cpu_seconds() - cpu
    connections, commands = it.measured.redis()
    return [
        Figure(f"{what}: CPU", 100 * cpu / seconds, "% of a core", at_most(3), f"over {seconds:g} s"),
        Figure(f"{what}: Redis connections", connections, "", at_most(8)),
        Figure(f"{what}: Redis commands", (commands - before) / seconds, "commands/s", at_most(20)),
    ]
