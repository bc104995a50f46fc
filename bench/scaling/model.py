"""What so many streams need: docs/scaling.md's tables, from measured figures. Pure.

`python -m bench.scaling.model` prints them; a test compares them with the document.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Table
from bench.report import markdown
from bench.scaling.known import (
    BELL,
    DEADLINE,
    DELIVERY,
    ENTRY,
    EVENT,
    FRAME,
    LEASE,
    NGINX_DELIVERY,
    NGINX_STREAM,
    POD,
    POD_CONNECTIONS,
    READ,
    RENEWALS,
    RETURN,
    SOCKET,
    STREAM,
    WRITE,
    figures,
)

SIZES = (10_000, 100_000, 1_000_000)
RATES = (0.1, 1.0, 10.0)
"""Events a second of each task: a crawl that reports, an agent at work, a model that streams its tokens."""

BUSY = 0.5
"""How much of a core a pod, and a Redis, is planned for; the rest is for bursts and for who comes back."""

MOST_STREAMS = 10_000
"""Of a pod: `TASKREEL_MAX_STREAMS`."""

VIEWERS = 2
"""Streams of a task, each on another pod: no pod's work for an event is shared, which is the dearest case."""

CONCURRENCY = 10
"""Tasks that a worker runs at a time."""

DAY = 86_400
PRIMARY_GB = 64
"""Memory of a primary for logs; as much again is left for its replica's buffers and for rewriting the AOF."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for.

    Attributes:
        streams: open at a time, each on a task that runs.
        rate: events a second of each task.
    """

    streams: int
    rate: float

    @property
    def tasks(self) -> float:
        """That run at a time."""
        return self.streams / VIEWERS

    @property
    def events(self) -> float:
        """A second, over all tasks."""
        return self.tasks * self.rate

    @property
    def deliveries(self) -> float:
        """A second, over all streams."""
        return self.streams * self.rate


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes.

    Attributes:
        load: for which.
        pods: with one to spare.
        shards: primaries of a Redis Cluster; None if no number of them is enough.
    """

    load: Load
    pods: int
    shards: int | None

    @property
    def streams(self) -> float:
        """Of a pod, while none is away."""
        return self.load.streams / self.pods

    @property
    def pod_mib(self) -> float:
        """Memory of a pod, with its sockets' share of the kernel's."""
        return POD + self.streams * (STREAM + SOCKET) * 1000 / 2**20

    @property
    def return_seconds(self) -> float:
        """What a pod's streams take to come back to the others, if they come all at once."""
        return self.streams * RETURN / 1e3 / (self.pods - 1)

    @property
    def bells(self) -> float:
        """The share of each Redis's core that goes into bells which others ring."""
        return 0.0 if self.shards == 1 else self.load.events * BELL / 1e6

    @property
    def deadlines(self) -> float:
        """The share of one Redis's core that goes into the key which every renewal writes to."""
        return self.load.tasks * RENEWALS * DEADLINE / 1e6

    @property
    def log_gb(self) -> float:
        """Gigabytes of Redis's memory that a day's events take."""
        return self.load.events * ENTRY * DAY / 1e9

    @property
    def shards_of_a_day(self) -> int:
        """Primaries that hold a day's events."""
        return math.ceil(self.log_gb / PRIMARY_GB)

    @property
    def gigabits(self) -> float:
        """A second, from the pods to the clients."""
        return self.load.deliveries * FRAME * 8 / 1e9


def plan(load: Load) -> Plan:
    """What a load takes."""
    cores = (load.events * VIEWERS * EVENT + load.deliveries * DELIVERY) / 1e6
    pods = 1 + max(math.ceil(cores / BUSY), math.ceil(load.streams / MOST_STREAMS))
    return Plan(load, pods, _shards(load))


def _shards(load: Load) -> int | None:
    """Each does its part of the writing and reading, and hears of every bell, wherever it rings."""
    work = (load.events * (WRITE + VIEWERS * READ) + load.tasks * RENEWALS * LEASE) / 1e6
    if work + load.tasks * RENEWALS * DEADLINE / 1e6 <= BUSY:
        return 1
    left = BUSY - load.events * BELL / 1e6
    return math.ceil(work / left) if left > 0 else None


def tables() -> list[Table]:
    """The figures, then what loads take."""
    known = [(it.name, it.text, it.source) for it in figures()]
    return [Table("", ("figure", "value", "source"), known), *(_table(rate) for rate in RATES), _ends()]


def _table(rate: float) -> Table:
    plans = [plan(Load(size, rate)) for size in SIZES]
    head = (f"{rate:g} events/s a task", *(f"{size:,} streams" for size in SIZES))
    rows = [
        _row("running tasks", [f"{it.load.tasks:,.0f}" for it in plans]),
        _row("events/s", [f"{it.load.events:,.0f}" for it in plans]),
        _row("deliveries/s", [f"{it.load.deliveries:,.0f}" for it in plans]),
        _row("pods, one to spare", [f"{it.pods:,}" for it in plans]),
        _row("streams a pod", [f"{it.streams:,.0f}" for it in plans]),
        _row("memory a pod, MiB", [f"{it.pod_mib:,.0f}" for it in plans]),
        _row("a pod's streams are back in, s", [f"{it.return_seconds:.2f}" for it in plans]),
        _row("primaries, by CPU", [_number(it.shards) for it in plans]),
        _row("logs, GB a day", [f"{it.log_gb:,.0f}" for it in plans]),
        _row("primaries, by memory for a day", [_number(it.shards_of_a_day) for it in plans]),
        _row("bells of others, % of each one's core", [f"{100 * it.bells:.0f}" for it in plans]),
        _row("`deadlines`, % of one's core", [f"{100 * it.deadlines:.0f}" for it in plans]),
        _row("connections a primary", [f"{it.pods * POD_CONNECTIONS:,.0f}" for it in plans]),
        _row("to clients, Gbit/s", [f"{it.gigabits:,.2f}" for it in plans]),
        _row("nginx, cores", [f"{it.load.deliveries * NGINX_DELIVERY / 1e6:,.1f}" for it in plans]),
        _row("nginx, GB", [f"{it.load.streams * NGINX_STREAM / 1e6:,.1f}" for it in plans]),
        _row(f"workers of {CONCURRENCY} tasks", [f"{it.load.tasks / CONCURRENCY:,.0f}" for it in plans]),
    ]
    return Table("", head, rows)


def _number(count: int | None) -> str:
    return "no number" if count is None else f"{count:,}"


def _row(name: str, cells: Sequence[str]) -> tuple[str, ...]:
    return (name, *cells)


def _ends() -> Table:
    """Where one thing alone would fill the half of a core that is planned for."""
    event = 1e6 * BUSY / (WRITE + VIEWERS * READ)
    rows = [
        ("one Redis's writing and reading", f"{event:,.0f} events/s"),
        ("bells on a Cluster's bus, however many primaries", f"{1e6 * BUSY / BELL:,.0f} events/s"),
        ("`deadlines`, in one slot", f"{1e6 * BUSY / DEADLINE / RENEWALS:,.0f} running tasks"),
        ("a pod, each event for one stream", f"{1e6 * BUSY / (EVENT + DELIVERY):,.0f} events/s"),
        ("a pod, each event for 100 streams", f"{1e6 * BUSY / (EVENT / 100 + DELIVERY):,.0f} deliveries/s"),
    ]
    return Table("", ("half of a core is full of", "at"), rows)


if __name__ == "__main__":
    print("\n\n".join(map(markdown, tables())))
