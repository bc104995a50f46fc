"""5,000 clients on 50 tasks, and ever more events: what gathering writes gives, and at what latency."""

from __future__ import annotations

from bench.contenders import Taskreel
from bench.fan_out.arena import arena, play
from bench.fan_out.compared import across, latencies
from bench.fan_out.work import Outcome, Work
from bench.figures import Finding, Series, at_most

RATES = (250, 500, 1000, 2000, 3000, 4000, 5000, 6000)
QUICK_RATES = (250, 1000)
BAR_RATE = 1000
ROUNDS = 3
SECONDS = 3.0
QUICK_SECONDS = 1.0


def measure(quick: bool) -> list[Finding]:
    """Once at each rate, and three times at the one that has a bar."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with arena(Taskreel()) as it:
        outcomes = [play(it, _work(rate, seconds)) for rate in (QUICK_RATES if quick else RATES)]
        held = [outcome for outcome in outcomes if outcome.work.rate == BAR_RATE]
        held += [play(it, _work(BAR_RATE, seconds)) for _ in range(0 if quick else ROUNDS - 1)]
    return [
        across(held, "delivered", lambda outcome: outcome.rate, "deliveries/s", None),
        *latencies(held, None, at_most(150)),
        Series("rising", [_point(outcome) for outcome in outcomes]),
    ]


def _work(rate: float, seconds: float) -> Work:
    return Work(clients=5000, tasks=50, rate=rate, seconds=seconds)


def _point(outcome: Outcome) -> dict[str, float]:
    return {
        "events_per_second": outcome.work.rate,
        "deliveries_per_second": outcome.rate,
        "p50_ms": outcome.received.p50_ms,
        "p99_ms": outcome.received.p99_ms,
        "micros_per_delivery": outcome.micros,
        "cpu_share": outcome.cpu_seconds / outcome.seconds,
        "wrong": outcome.wrong,
        "late_ms": outcome.late_ms,
    }
