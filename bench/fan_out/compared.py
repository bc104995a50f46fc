"""Contenders side by side: the same work by turns, what the clients saw, and what it cost the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.contenders import Contender, Taskreel
from bench.fan_out.arena import arena, play
from bench.fan_out.work import Outcome, Work
from bench.figures import Bar, Figure, Finding, Table, at_least, at_most, median
from bench.peers.nchan import NchanInMemory, NchanOnRedis
from bench.peers.usual import Usual

ROUNDS = 3
SECONDS = 3.0
QUICK_SECONDS = 0.5

SLOW, FAST, FLAT_OUT = 100, 1000, 6000
"""Events a second, each for 100 clients. The usual way is spared the last: the second is too much for it."""

OURS = Taskreel.name
USUAL = Usual.name
ON_REDIS = NchanOnRedis().name

Rounds = Mapping[str, Sequence[Outcome]]
"""The outcomes of one work, by contender."""

_MEASURES: tuple[tuple[str, Callable[[Outcome], float], str], ...] = (
    ("p50, ms", lambda outcome: outcome.received.p50_ms, ".2f"),
    ("p90, ms", lambda outcome: outcome.received.p90_ms, ".2f"),
    ("p99, ms", lambda outcome: outcome.received.p99_ms, ".2f"),
    ("max, ms", lambda outcome: outcome.received.max_ms, ".1f"),
    ("deliveries/s", lambda outcome: outcome.rate, ",.0f"),
    ("CPU a delivery, µs", lambda outcome: outcome.micros, ".1f"),
    ("memory a connection, kB", lambda outcome: outcome.memory / 1000, ".1f"),
    ("Redis connections", lambda outcome: outcome.redis, ",.0f"),
    ("Redis commands/s", lambda outcome: outcome.commands, ",.0f"),
    ("CPU, % of its core", lambda outcome: 100 * outcome.cpu_seconds / outcome.seconds, ".0f"),
    ("kept from its core by others, %", lambda outcome: 100 * outcome.waited / outcome.seconds, ".1f"),
    ("use of the other cores, %", lambda outcome: 100 * outcome.others, ".0f"),
    ("missing or out of order", lambda outcome: outcome.wrong, ",.0f"),
    ("publisher late, ms", lambda outcome: outcome.late_ms, ".1f"),
)


def measure(quick: bool) -> list[Finding]:
    """1,000 clients on 10 tasks, at three rates."""
    seconds = QUICK_SECONDS if quick else SECONDS
    works = [Work(1000, 10, rate, seconds) for rate in (SLOW, FAST, FLAT_OUT)]
    found: dict[float, dict[str, list[Outcome]]] = {work.rate: {} for work in works}
    contenders: list[Contender] = [Taskreel(), Usual(), NchanInMemory(), NchanOnRedis()]
    for _ in range(1 if quick else ROUNDS):
        for contender in contenders:
            if not contender.missing():
                for outcome in _play_all(contender, works):
                    found[outcome.work.rate].setdefault(contender.name, []).append(outcome)
    absent = [f"{contender.name}: {contender.missing()}" for contender in contenders if contender.missing()]
    tables = [_table(work, found[work.rate], absent) for work in works]
    return [*_slow(found[SLOW]), *_fast(found[FAST]), *_flat_out(found[FLAT_OUT]), *tables]


def _play_all(contender: Contender, works: Iterable[Work]) -> Iterable[Outcome]:
    with arena(contender) as it:
        for work in works:
            if contender.name != USUAL or work.rate <= FAST:
                yield play(it, work)


def _slow(rounds: Rounds) -> list[Figure]:
    return [
        *latencies(rounds[OURS], at_most(2), at_most(6)),
        *_ratio(rounds, ON_REDIS, at_most(1.1)),
        *_ratio(rounds, USUAL, at_most(0.2)),
    ]


def _fast(rounds: Rounds) -> list[Figure]:
    return [
        *latencies(rounds[OURS], at_most(2), at_most(15)),
        *_ratio(rounds, ON_REDIS, at_most(1.0)),
        *_ratio(rounds, USUAL, None),
    ]


def _flat_out(rounds: Rounds) -> list[Figure]:
    ours = rounds[OURS]
    return [
        across(ours, "delivered", lambda outcome: outcome.rate, "deliveries/s", at_least(500_000)),
        *latencies(ours, None, at_most(40)),
        across(ours, "growth of the pod's memory", lambda outcome: outcome.grown / 2**20, "MiB", at_most(16)),
        *_ratio(rounds, ON_REDIS, None),
    ]


def latencies(outcomes: Sequence[Outcome], p50: Bar | None, p99: Bar | None) -> list[Figure]:
    """What clients saw, and the CPU time it took, with what's missing."""
    return [
        across(outcomes, "p50", lambda outcome: outcome.received.p50_ms, "ms", p50),
        across(outcomes, "p99", lambda outcome: outcome.received.p99_ms, "ms", p99),
        across(outcomes, "CPU a delivery", lambda outcome: outcome.micros, "µs", None),
        wrong(f"fan-out: {outcomes[0].work}", outcomes),
    ]


def across(
    outcomes: Sequence[Outcome], what: str, value: Callable[[Outcome], float], unit: str, bar: Bar | None
) -> Figure:
    """The median of the rounds."""
    values = [value(outcome) for outcome in outcomes]
    note = "rounds " + ", ".join(f"{number:,.{0 if number >= 1000 else 2}f}" for number in values)
    return Figure(f"fan-out: {outcomes[0].work}: {what}", median(values), unit, bar, note)


def wrong(what: str, outcomes: Sequence[Outcome]) -> Figure:
    """Events that weren't delivered once and in order, in all rounds; and how the publisher kept time."""
    late = max(outcome.late_ms for outcome in outcomes)
    total = sum(outcome.wrong for outcome in outcomes)
    deliveries = sum(outcome.received.deliveries for outcome in outcomes)
    kept = max(outcome.waited for outcome in outcomes)
    note = (
        f"of {deliveries:,}; publisher late by {late:.0f} ms, server kept from its core {kept * 1000:.0f} ms"
    )
    return Figure(f"{what}: missing or out of order", total, "events", at_most(0), note)


def _ratio(rounds: Rounds, other: str, bar: Bar | None) -> list[Figure]:
    if other not in rounds:
        return []
    pairs = zip(rounds[OURS], rounds[other], strict=True)
    ratios = [ours.micros / theirs.micros for ours, theirs in pairs]
    note = "rounds " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
    what = f"fan-out: {rounds[OURS][0].work}: CPU a delivery, of {other}'s"
    return [Figure(what, median(ratios), "x", bar, note)]


def _table(work: Work, rounds: Rounds, absent: Sequence[str]) -> Table:
    rows = [
        (
            name,
            *(format(median([value(outcome) for outcome in outcomes]), form) for outcomes in rounds.values()),
        )
        for name, value, form in _MEASURES
    ]
    remark = f" (not here: {'; '.join(absent)})" if absent else ""
    return Table(f"{work}{remark}", ("", *rounds), rows)
