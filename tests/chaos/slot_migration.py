"""Slots move from one primary of a Cluster to another, with the tasks under way in them: nobody notices."""

from __future__ import annotations

import asyncio
import random
import time

from bench.figures import median
from tests.chaos.load import Size
from tests.chaos.outcome import Outcome
from tests.chaos.promises import Terms, judge
from tests.chaos.stand import Redis, Stand, stand
from tests.support.cluster import Cluster, cluster
from tests.support.server import server

ROUNDS = 10
"""Half of them key by key, half in one go, as Valkey 9 can."""

SHORT = 2

SIZE = Size(written=100, run=100, readers=(2, 3), pause=0.5)
SMALL = Size(written=8, run=4, readers=(2,), pause=0.1)
SLOTS = 10
"""How many slots are moved in a round, each with a task in it that is under way."""

PAUSE_SECONDS = (0.05, 0.5)
"""How long a slot stays half-way, and between two of them."""


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Move slots in so many rounds."""
    began, chance, seconds = time.monotonic(), random.Random(seed), list[float]()
    with cluster() as log, server("valkey") as queue:
        size = SMALL if rounds <= SHORT else SIZE
        async with stand(Redis(log.url, queue.url()), size, seed) as it:
            for number in range(rounds):
                for _ in range(SLOTS if rounds > SHORT else 2):
                    seconds.append(await _move(log, it, chance, atomic=number % 2 == 1))
            failures = await it.finish()
            figures, wrong = await judge(it.load, Terms(losses=False, begun=False))
    failures += [f"seed {seed}: {sentence}" for sentence in wrong]
    figures = {
        "slots moved": f"{len(seconds)}, each in {median(seconds):.1f} s (median)",
        **figures,
    }
    fault = "slots with tasks under way moved under load, key by key and in one go"
    return [Outcome(fault, rounds, time.monotonic() - began, figures, failures)]


async def _move(log: Cluster, it: Stand, chance: random.Random, *, atomic: bool) -> float:
    """Move the slot of a task that is under way; gives the seconds that took."""
    await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
    slot = log.slot(it.load.party.log.keys.log(chance.choice(it.load.under_way)))
    target = chance.choice([node for node in log.primaries() if node is not log.owner(slot)])
    began = time.monotonic()
    if atomic:
        await log.migrate_slot(slot, target, atomic=True)
    else:
        await log.begin_migration(slot, target)
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
        await log.move_keys(slot, target)
        await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
        await log.end_migration(slot, target)
        await log.settled()
    return time.monotonic() - began
