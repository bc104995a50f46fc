"""What Redis is asked for each event as pods grow, by its own count, and what a pod holds."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Figure, Finding, Series, Table, at_most
from bench.scaling.stand import Share, Used, stand

PODS = (1, 2, 4, 8)
QUICK_PODS = (1, 2)
SECONDS = 4.0
QUICK_SECONDS = 1.0
CLIENTS = 50
TASKS = 10
RATE = 100.0
"""Events a second: few enough that each rings for itself, which is the dearest case."""

_APPEND = ("multi", "exec", "xadd", "publish")


def measure(quick: bool) -> list[Finding]:
    """All pods on the same tasks, then each on tasks of its own; 50 clients a pod."""
    findings: list[Finding] = []
    counts, seconds = (QUICK_PODS, QUICK_SECONDS) if quick else (PODS, SECONDS)
    with stand(counts[-1]) as all_of_them:
        for same in (True, False):
            share = Share(CLIENTS, TASKS, RATE, seconds, same)
            found = [all_of_them.first(count).play(share) for count in counts]
            findings += _figures("the same tasks" if same else "tasks of their own", found)
    return findings


def _figures(whose: str, found: Sequence[Used]) -> list[Finding]:
    first, last = found[0], found[-1]
    what = f"scaling: {last.pods} pods on {whose}"
    reads = last.commands["xread"] / last.events
    per_pod = reads / (last.pods if whose == "the same tasks" else 1)
    appends = [sum(used.commands[name] for name in _APPEND) / used.events for used in found]
    held = [max(used.resident) / 2**20 for used in found]
    return [
        Figure(f"{what}: commands of an append, an event", appends[-1], "commands", None, _each(appends)),
        Figure(f"{what}: XREADs an event, for each pod that follows it", per_pod, "commands", at_most(1.1)),
        Figure(f"{what}: connections to Redis, of a pod", max(last.connections), "", at_most(8)),
        Figure(f"{what}: memory of a pod with 50 clients", held[-1], "MiB", None, _each(held)),
        Figure(f"{what}: missing or out of order", sum(used.wrong for used in found), "events", at_most(0)),
        Figure(
            f"{what}: Valkey's CPU an event",
            1e6 * last.redis_cpu / last.events,
            "µs",
            None,
            f"{1e6 * first.redis_cpu / first.events:.0f} µs with {first.pods}",
        ),
        Table(f"Redis commands an event: pods on {whose}", _HEAD, [_row(used) for used in found]),
        Series(f"commands on {whose}", [_point(used) for used in found]),
    ]


_HEAD = ("pods", "append", "XREAD", "others", "XREADs/s a pod", "bytes sent", "Valkey, µs", "pods, µs")


def _row(used: Used) -> tuple[str, ...]:
    """Each an event, but for those a pod."""
    reads, append = used.commands["xread"], sum(used.commands[name] for name in _APPEND)
    others = used.commands.total() - reads - append
    return (
        str(used.pods),
        f"{append / used.events:.2f}",
        f"{reads / used.events:.2f}",
        f"{others / used.events:.2f}",
        f"{reads / used.seconds / used.pods:.0f}",
        f"{used.sent / used.events:,.0f}",
        f"{1e6 * used.redis_cpu / used.events:.0f}",
        f"{1e6 * used.pod_cpu / used.events:.0f}",
    )


def _point(used: Used) -> dict[str, float]:
    return {
        "pods": used.pods,
        "commands": used.commands.total() / used.events,
        "reads": used.commands["xread"] / used.events,
        "sent": used.sent / used.events,
        "redis_micros": 1e6 * used.redis_cpu / used.events,
        "pod_micros": 1e6 * used.pod_cpu / used.events,
    }


def _each(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
