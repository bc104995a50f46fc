"""100,000 connections that are reset, each at a random one of five moments, and what is left of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redis import Redis

from bench import system
from bench.contenders import Taskreel
from bench.fan_out.arena import Arena, arena
from bench.figures import Figure, Finding, at_most

RESETS = 100_000
QUICK_RESETS = 5_000
WARM_UP = 5_000
QUICK_WARM_UP = 1_000
TASKS = 100
SETTLE_SECONDS = 15.0
"""What the pod has to come to rest."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a pod holds."""

    descriptors: int
    subscriptions: int
    redis: int
    resident: int


def measure(quick: bool) -> list[Finding]:
    """Reset, wait, and compare with before."""
    resets = QUICK_RESETS if quick else RESETS
    with arena(Taskreel()) as it, it.publisher(TASKS) as publisher:
        _reset(it, QUICK_WARM_UP if quick else WARM_UP, publisher.tasks)
        time.sleep(2)
        before, began = _held(it), time.monotonic()
        done = _reset(it, resets, publisher.tasks)
        seconds, settled = time.monotonic() - began, _settle(it, before)
        after, ready = _held(it), system.is_ready(it.server.port)
    what = f"fan-out: after {resets:,} resets"
    note = (
        f"{done:,} in {seconds:.0f} s; back within {settled:.1f} s; the pod is {'' if ready else 'NOT '}ready"
    )
    grown = (after.resident - before.resident) / 2**20
    return [
        Figure(f"{what}: descriptors left", after.descriptors - before.descriptors, "", at_most(0), note),
        Figure(f"{what}: subscriptions left", after.subscriptions - before.subscriptions, "", at_most(0)),
        Figure(f"{what}: Redis connections left", after.redis - before.redis, "", at_most(0)),
        Figure(f"{what}: growth of memory", grown, "MiB", None, f"over {before.resident / 2**20:.0f} MiB"),
    ]


def _reset(it: Arena, count: int, tasks: list[str]) -> int:
    with it.clients(count, tasks, "reset") as crowd:
        return crowd.wait_until_reset()


def _settle(it: Arena, before: _Held) -> float:
    """Wait until the pod holds no more than before; gives the seconds, at most those it has."""
    began = time.monotonic()
    while time.monotonic() - began < SETTLE_SECONDS and _counts(_held(it)) > _counts(before):
        time.sleep(0.2)
    return time.monotonic() - began


def _counts(held: _Held) -> int:
    return held.descriptors + held.subscriptions + held.redis


def _held(it: Arena) -> _Held:
    with Redis(port=it.valkey) as client:
        channels: Any = client.pubsub_channels()
    return _Held(it.measured.descriptors(), len(channels), it.measured.redis()[0], it.measured.resident())
