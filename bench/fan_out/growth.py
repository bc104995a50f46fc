"""CPU time a delivery as work grows: in clients, in tasks of ten clients each, and in events' size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.contenders import Taskreel
from bench.fan_out.arena import arena, play
from bench.fan_out.work import Outcome, Work
from bench.figures import Figure, Finding, Series, at_most

CLIENTS = (100, 300, 1000, 3000, 10_000)
TASKS = (1, 10, 100, 1000)
SIZES = (100, 1000, 10_000, 100_000)
SECONDS = 3.0
QUICK_SECONDS = 1.0

_Grown = tuple[str, Sequence[int], Callable[[int, float], Work]]

_WAYS: tuple[_Grown, ...] = (
    ("clients", CLIENTS, lambda count, seconds: Work(count, 10, 100, seconds)),
    ("tasks", TASKS, lambda count, seconds: Work(10 * count, count, 5 * count, seconds)),
    ("bytes", SIZES, lambda size, seconds: Work(100, 10, 100, seconds, size)),
)


def measure(quick: bool) -> list[Finding]:
    """Each way from the smallest to the largest, on one pod."""
    findings: list[Finding] = []
    seconds = QUICK_SECONDS if quick else SECONDS
    with arena(Taskreel()) as it:
        for name, values, work in _WAYS:
            sizes = values[:2] if quick else values
            points = [_point(name, size, play(it, work(size, seconds))) for size in sizes]
            findings += [_figure(name, points), Series(name, points)]
    return findings


def _point(name: str, value: int, outcome: Outcome) -> dict[str, float]:
    return {
        name: value,
        "deliveries_per_second": outcome.rate,
        "micros_per_delivery": outcome.micros,
        "p50_ms": outcome.received.p50_ms,
        "p99_ms": outcome.received.p99_ms,
        "wrong": outcome.wrong,
    }


def _figure(name: str, points: Sequence[dict[str, float]]) -> Figure:
    """The last point's cost over the first's: flat or falling, but for events that grow."""
    first, last = points[0], points[-1]
    ratio = last["micros_per_delivery"] / first["micros_per_delivery"]
    what = f"fan-out: CPU a delivery with {last[name]:,} {name}, of that with {first[name]:,}"
    note = ", ".join(f"{point['micros_per_delivery']:.1f}" for point in points) + " µs"
    return Figure(what, ratio, "x", None if name == "bytes" else at_most(1.1), note)
