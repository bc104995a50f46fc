"""Clients that read a byte a second, beside fast ones on the same tasks: what the fast ones feel of it."""

from __future__ import annotations

from bench.contenders import Taskreel
from bench.fan_out.arena import arena, play
from bench.fan_out.compared import wrong
from bench.fan_out.work import Outcome, Work
from bench.figures import Figure, Finding, at_most, median

SLOW_CLIENTS = 100
ROUNDS = 3
SECONDS = 10.0
QUICK_SECONDS = 1.0
RATE = 500
"""Half of what fills the core: else it's the slow clients' share of the deliveries that would be felt."""

BYTES = 1000
"""An event's data. Slow clients' sockets fill within a second or two, and the bound is reached soon after."""


def measure(quick: bool) -> list[Finding]:
    """With and without them, by turns, each on a pod of its own."""
    work = Work(1000, 10, RATE, QUICK_SECONDS if quick else SECONDS, BYTES)
    without: list[Outcome] = []
    beside: list[Outcome] = []
    for _ in range(1 if quick else ROUNDS):
        without.append(_play(work, 0))
        beside.append(_play(work, SLOW_CLIENTS))
    what = f"fan-out: {SLOW_CLIENTS} slow clients beside {work} of {BYTES // 1000} kB"
    return [_p99(what, without, beside), _memory(what, without, beside), wrong(what, [*without, *beside])]


def _play(work: Work, slow: int) -> Outcome:
    with arena(Taskreel()) as it:
        return play(it, work, slow)


def _p99(what: str, without: list[Outcome], beside: list[Outcome]) -> Figure:
    alone, together = ([outcome.received.p99_ms for outcome in outcomes] for outcomes in (without, beside))
    note = f"with {_list(together)}, without {_list(alone)} ms"
    return Figure(f"{what}: p99, of without", median(together) / median(alone), "x", at_most(1.2), note)


def _memory(what: str, without: list[Outcome], beside: list[Outcome]) -> Figure:
    more = [mine.grown - its.grown for mine, its in zip(beside, without, strict=True)]
    note = f"the bound is 1 MiB each; {', '.join(str(outcome.cut_off) for outcome in beside)} were cut off"
    return Figure(f"{what}: memory for them", max(more) / 2**20, "MiB", at_most(SLOW_CLIENTS), note)


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
