"""What both failovers have in common: a server that leads is killed under load, again and again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Protocol, TypeVar

from bench.figures import median
from events.durability import Level
from tests.chaos.load import Size
from tests.chaos.outcome import Outcome
from tests.chaos.promises import Terms, judge
from tests.chaos.stand import Redis, Stand, stand
from tests.support.server import Server

ROUNDS = 10
SHORT = 1

SIZE = Size(written=100, run=100, readers=(2, 3), pause=0.5)
SMALL = Size(written=8, run=4, readers=(2,), pause=0.1)

LEASE_SECONDS = 5
"""Longer than a failover, or living workers would lose their tasks by it."""

ALIVE_SECONDS = (2.0, 4.0)

BEHIND_SECONDS = (0.3, 0.7)
"""How long replicas get nothing before the kill. On one machine they lack nothing otherwise; and nobody must
take them for dead meanwhile."""

TERMS = {Level.OFF: Terms(), Level.REPLICA: Terms(begun=False, shown=True)}
"""With replicas waited for, those who write are killed at the same moment: nobody can put anything back."""

POISED = 18
"""Tasks that are submitted, begun or ended by the scribe that is to die, while the replicas are behind."""

S = TypeVar("S", bound=Server)


class Deployed(Protocol[S]):
    """Servers of which some lead, and others take their places."""

    def primaries(self) -> Sequence[S]:
        """Who leads."""
        ...

    def replicas_of(self, primary: S) -> Sequence[S]:
        """Who may take its place."""
        ...

    async def successor(self, dead: S) -> S:
        """Wait until another one leads in a killed one's place."""
        ...

    async def restart(self, server: S, /) -> None:
        """Start it again, and wait until it follows."""
        ...


def levels(rounds: int) -> list[Level]:
    """What milestones wait for, in turn; the short form waits for replicas."""
    return [Level.REPLICA] if rounds <= SHORT else list(TERMS)


async def fail_over(name: str, it: Deployed[S], redis: Redis, rounds: int, seed: int) -> Outcome:
    """Kill who leads, so often."""
    began, chance = time.monotonic(), random.Random(seed)
    size, seconds, streams = SMALL if rounds <= SHORT else SIZE, list[float](), list[int]()
    lost = list[int]()
    async with stand(redis, size, seed, lease_seconds=LEASE_SECONDS) as its:
        for _ in range(rounds):
            await asyncio.sleep(chance.uniform(*ALIVE_SECONDS))
            streams.append(its.load.open_streams)
            took, lacks = await _kill(it, its, chance, redis.level)
            seconds.append(took)
            lost.append(lacks)
        failures = await its.finish()
        figures, wrong = await judge(its.load, TERMS[redis.level])
    failures += [f"seed {seed}: {sentence}" for sentence in wrong]
    failures += [] if all(lost) else ["a successor lacked nothing, so nothing was tried"]
    figures = {
        "successors lacked": f"{median(lost) / 1024:,.0f} KiB of replication (median)",
        "streams at the kill": f"{median(streams):,.0f} (median)",
        "kill to successor": f"median {median(seconds):.1f} s, most {max(seconds):.1f} s",
        **figures,
    }
    who = "primary" if redis.level is Level.OFF else "primary, a worker and a scribe"
    fault = f"{who} killed under load, {name}, durability {redis.level}"
    return Outcome(fault, rounds, time.monotonic() - began, figures, failures)


async def _kill(it: Deployed[S], its: Stand, chance: random.Random, level: Level) -> tuple[float, int]:
    """Kill a primary that its replicas are behind, and have it come back as a replica.

    Gives the seconds until its successor led, and how many bytes of replication the replicas lacked.
    """
    victim = chance.choice(it.primaries())
    scribe = chance.choice(its.load.scribes)
    dying = [] if level is Level.OFF else [chance.choice(its.workers), scribe.process]
    now = await its.load.poise(scribe, POISED)
    replicas = [server for server in it.replicas_of(victim) if server.running]
    try:
        had = await asyncio.to_thread(_leave_behind, victim, replicas)
        now.set()
        await asyncio.sleep(chance.uniform(*BEHIND_SECONDS))
        lacks = _offset(victim) - had
        killed = time.monotonic()
        victim.kill()
    finally:
        for server in replicas:
            server.thaw()
    for process in dying:
        process.restart()
    await it.successor(victim)
    took = time.monotonic() - killed
    await it.restart(victim)
    return took, lacks


def _leave_behind(primary: Server, replicas: Sequence[Server]) -> int:
    """Have replicas get nothing from now on; gives how much replication there was until then.

    Frozen ones alone would find later what the kernel has kept for them, so their connections are cut too.
    """
    for server in replicas:
        server.freeze()
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    return _offset(primary)


def _offset(server: Server) -> int:
    return int(server.told("replication")["master_repl_offset"])
