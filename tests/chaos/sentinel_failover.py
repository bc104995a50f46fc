"""A primary that Sentinels watch is killed under load, with the log and the queue on it."""

from __future__ import annotations

from tests.chaos.failover import ROUNDS, SHORT, fail_over, levels
from tests.chaos.outcome import Outcome
from tests.chaos.stand import Redis
from tests.support.sentinel import sentinel

__all__ = ["ROUNDS", "SHORT", "run"]


async def run(rounds: int, seed: int) -> list[Outcome]:
    """So many kills with each durability."""
    outcomes: list[Outcome] = []
    for level in levels(rounds):
        with sentinel() as it:
            outcomes.append(await fail_over("Sentinel", it, Redis(it.url, level=level), rounds, seed))
    return outcomes
