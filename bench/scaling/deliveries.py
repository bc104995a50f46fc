"""One pod against two on the same cores: deliveries a second, and what each part used of the cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.figures import Figure, Finding, Table, at_least, at_most, median
from bench.scaling.stand import Share, Used, stand

ROUNDS = 3
SECONDS = 4.0
QUICK_SECONDS = 1.0

EASY = 400.0
"""Events a second that leave the cores time for everybody: what a delivery costs is the pods' alone."""

HARD = 6000.0
"""Events a second of which two pods, Valkey, the publisher and the clients can't do all on two cores."""

CLIENTS = 500
TASKS = 10


def measure(quick: bool) -> list[Finding]:
    """Each load on one pod and on two, in turns; each pod has 500 clients of the same ten tasks."""
    findings: list[Finding] = []
    seconds, rounds = (QUICK_SECONDS, 1) if quick else (SECONDS, ROUNDS)
    with stand(1) as one, stand(2) as two:
        for rate in (EASY, HARD):
            share = Share(CLIENTS, TASKS, rate, seconds)
            found = [(one.play(share), two.play(share)) for _ in range(rounds)]
            findings += _figures(rate, [first for first, _ in found], [second for _, second in found])
    return findings


def _figures(rate: float, one: Sequence[Used], two: Sequence[Used]) -> list[Finding]:
    what, easy = f"scaling: {rate:,.0f} events/s", rate == EASY
    rates = [median([used.rate for used in rounds]) for rounds in (one, two)]
    costs = [median([used.per_cpu_second for used in rounds]) for rounds in (one, two)]
    wrong = sum(used.wrong for used in (*one, *two))
    return [
        Figure(
            f"{what}, two pods' deliveries/s, of one's",
            rates[1] / rates[0],
            "x",
            at_least(1.9) if easy else None,
            f"{rates[0]:,.0f} and {rates[1]:,.0f} deliveries/s",
        ),
        Figure(
            f"{what}, two pods' deliveries a CPU second, of one's",
            costs[1] / costs[0],
            "x",
            at_least(0.85) if easy else None,
            f"{costs[0]:,.0f} and {costs[1]:,.0f} deliveries for a second of the pods' CPU",
        ),
        Figure(f"{what}: missing or out of order", wrong, "events", at_most(0)),
        Table(f"{what}, 500 clients a pod on 10 tasks", ("", "one pod", "two pods"), _rows(one, two)),
    ]


def _rows(one: Sequence[Used], two: Sequence[Used]) -> list[tuple[str, ...]]:
    """Medians of the rounds; CPU as shares of one core while it lasted."""
    return [
        (title, *(f"{median([value(used) for used in rounds]):,.{digits}f}" for rounds in (one, two)))
        for title, value, digits in _LINES
    ]


_LINES: tuple[tuple[str, Callable[[Used], float], int], ...] = (
    ("deliveries/s", lambda used: used.rate, 0),
    ("deliveries a second of the pods' CPU", lambda used: used.per_cpu_second, 0),
    ("CPU a delivery, µs", lambda used: 1e6 / used.per_cpu_second, 2),
    ("bytes a delivery", lambda used: used.received, 0),
    ("p99, ms", lambda used: used.p99_ms, 1),
    ("pods, % of a core", lambda used: 100 * used.pod_cpu / used.seconds, 0),
    ("Valkey, % of a core", lambda used: 100 * used.redis_cpu / used.seconds, 0),
    ("Valkey, µs an event", lambda used: 1e6 * used.redis_cpu / used.events, 1),
    ("publisher, % of a core", lambda used: 100 * used.publisher_cpu / used.seconds, 0),
    ("clients, % of a core", lambda used: 100 * used.client_cpu / used.seconds, 0),
)
