"""A pod, a worker and a Redis that leads are cut off from everybody else under load, and joined again.

Who is cut off goes on believing what it believed: a worker that it has its tasks, a Redis that it leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from events.durability import Level
from tests.chaos.load import Size
from tests.chaos.network import Network, Room, network
from tests.chaos.outcome import Outcome
from tests.chaos.promises import Terms, judge
from tests.chaos.stand import Places, Redis, stand
from tests.support.cluster import Cluster, cluster
from tests.support.sentinel import Watched, sentinel
from tests.support.server import Server, server

ROUNDS = 2
"""How often each of them is cut off."""

SHORT = 1

SIZE = Size(written=20, run=10, readers=(2,), pause=0.25)
SMALL = Size(written=4, run=2, readers=(2,), pause=0.1)
CUT_SECONDS, SHORTLY = 20.0, 4.0
LEASE_SECONDS, SHORT_LEASE = 10.0, 2.0
ALIVE_SECONDS = (1.0, 3.0)

MACHINES = 4
"""Rooms for two pods and two workers; the others are for servers."""


@dataclass(frozen=True, slots=True)
class _Deployment:
    """Redis in rooms.

    Attributes:
        name: of how it's deployed.
        it: what can be waited for.
        servers: one in each of the rooms for servers, in their order.
    """

    name: str
    redis: Redis
    it: Cluster | Watched
    servers: Sequence[Server]


async def run(rounds: int, seed: int) -> list[Outcome]:
    """On a Cluster, and on a primary that Sentinels watch; the short form on the former alone."""
    outcomes: list[Outcome] = []
    for deploy in (_cluster,) if rounds <= SHORT else (_cluster, _sentinel):
        with network(MACHINES + 6) as net, deploy(net) as deployed:
            outcomes.append(await _run(net, deployed, rounds, seed))
    return outcomes


@contextlib.contextmanager
def _cluster(net: Network) -> Generator[_Deployment]:
    places = [room.place for room in net.rooms[MACHINES:]]
    with cluster(places=places) as it, server("valkey", place=net.outside) as queue:
        yield _Deployment("Cluster", Redis(it.url, queue.url(), Level.REPLICA), it, it.nodes)


@contextlib.contextmanager
def _sentinel(net: Network) -> Generator[_Deployment]:
    places = [room.place for room in net.rooms[MACHINES:]]
    with sentinel(places=places, watch=net.outside) as it:
        yield _Deployment("Sentinel", Redis(it.url, level=Level.REPLICA), it, it.servers)


async def _run(net: Network, deployed: _Deployment, rounds: int, seed: int) -> Outcome:
    began, chance, short = time.monotonic(), random.Random(seed), rounds <= SHORT
    seconds, lease = (SHORTLY, SHORT_LEASE) if short else (CUT_SECONDS, LEASE_SECONDS)
    pods, workers = net.rooms[:2], net.rooms[2:MACHINES]
    places = Places([room.place for room in pods], [room.place for room in workers])
    size, failures = SMALL if short else SIZE, list[str]()
    async with stand(deployed.redis, size, seed, places, lease_seconds=lease) as it:
        for _ in range(rounds):
            for rooms in (pods, workers):
                await asyncio.sleep(chance.uniform(*ALIVE_SECONDS))
                await _cut(chance.choice(rooms), seconds)
            await asyncio.sleep(chance.uniform(*ALIVE_SECONDS))
            failures += await _cut_leader(net, deployed, chance, seconds)
        failures += await it.finish()
        figures, wrong = await judge(it.load, Terms(begun=False))
    failures += [f"seed {seed}: {sentence}" for sentence in wrong]
    fault = f"pod, worker and primary cut off in turn, for {seconds:g} s each; {deployed.name}"
    return Outcome(fault, rounds * 3, time.monotonic() - began, figures, failures)


async def _cut(room: Room, seconds: float) -> None:
    room.cut()
    await asyncio.sleep(seconds)
    room.join()


async def _cut_leader(
    net: Network, deployed: _Deployment, chance: random.Random, seconds: float
) -> list[str]:
    """Cut off a Redis that leads; when it's back, it has been replaced and follows, or that's said."""
    leader = chance.choice(deployed.it.primaries())
    room = net.rooms[MACHINES + deployed.servers.index(leader)]
    leader.away = True
    await _cut(room, seconds)
    leader.away = False
    await deployed.it.settled()
    if leader in deployed.it.primaries():
        return ["nobody took the place of a primary that was cut off"]
    return []
