"""Primaries of a Cluster are killed under load; their replicas take over, and lack the last moments."""

from __future__ import annotations

from tests.chaos.failover import ROUNDS, SHORT, fail_over, levels
from tests.chaos.outcome import Outcome
from tests.chaos.stand import Redis
from tests.support.cluster import cluster
from tests.support.server import server

__all__ = ["ROUNDS", "SHORT", "run"]


async def run(rounds: int, seed: int) -> list[Outcome]:
    """So many kills with each durability."""
    outcomes: list[Outcome] = []
    for level in levels(rounds):
        with cluster() as it, server("valkey") as queue:
            redis = Redis(it.url, queue.url(), level)
            outcomes.append(await fail_over("Cluster", it, redis, rounds, seed))
    return outcomes
