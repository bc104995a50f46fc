"""Redis is killed under load and comes back without its last moments: readers are told, no end is lost."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

from events.background import stop
from tests.chaos.aof import Tail
from tests.chaos.load import GRAPH, Load, Size
from tests.chaos.outcome import Outcome
from tests.chaos.parties import party
from tests.chaos.processes import pod, valkey, workers
from tests.chaos.promises import Terms, judge
from tests.chaos.scribe import scribe

ROUNDS = 20
SHORT = 2

SIZE = Size(written=8, run=2, readers=(2,), pause=0.045)
"""All of it together makes 200 events a second and more."""

ALIVE_SECONDS = (1.2, 2.4)
AWAY_SECONDS = (0.05, 0.6)
LONG_AWAY_SECONDS = 30.0


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Kill Redis so often; the full form leaves it away for 30 s as well."""
    began, cuts, chance = time.monotonic(), list[float](), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder), aof=True) as server,
            pod(server.url) as one,
            pod(server.url) as other,
            workers(server.url, 1, [GRAPH], lease_seconds=3) as (worker,),
            scribe(Path(folder), server.url, SIZE.pause) as writing,
            party(server.url) as its,
        ):
            load, tail = Load(its, (one, other), (writing,), SIZE, chance), Tail(server)
            watching = asyncio.create_task(tail.run())
            try:
                async with load.going_on():
                    for pause in _pauses(rounds, chance):
                        await asyncio.sleep(chance.uniform(*ALIVE_SECONDS))
                        cuts.append(tail.kill_and_cut(chance))
                        await asyncio.sleep(pause)
                        await server.restart()
                    await asyncio.sleep(ALIVE_SECONDS[0])
                    failures = await load.finish()
            finally:
                await stop([watching])
            processes = (worker, one.process, other.process, writing.process)
            failures += [f"{process.name} has exited" for process in processes if not process.running]
            figures, wrong = await judge(load, Terms())
    failures += [f"seed {seed}: {sentence}" for sentence in wrong]
    lost = f"at most {max(cuts):.2f} s, {sum(map(bool, cuts))} times of {len(cuts)}"
    fault = "Redis killed under load, its unsynced tail cut, and started again"
    figures = {"tail that Redis lost": lost, **figures}
    return [Outcome(fault, rounds, time.monotonic() - began, figures, failures)]


def _pauses(rounds: int, chance: random.Random) -> list[float]:
    short = [chance.uniform(*AWAY_SECONDS) for _ in range(rounds)]
    return short if rounds <= SHORT else [*short, LONG_AWAY_SECONDS]
