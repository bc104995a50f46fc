"""Where servers compete: a new Valkey, the server on its core, a publisher and clients on the others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from bench import cores, system
from bench.contenders import Contender, Server
from bench.fan_out.work import BYTES, Outcome, Work
from bench.load import Clients, clients
from bench.measured import Measured, idle_seconds
from bench.talk import Talker, talker

PATIENCE_SECONDS = 20.0
"""How long after the last event was published it may arrive."""

SETTLE_SECONDS = 0.3


class Publisher:
    """The process that publishes to some tasks; see bench/publisher."""

    def __init__(self, talking: Talker) -> None:
        self._talking = talking
        begun = talking.hear()
        self.tasks: list[str] = begun["tasks"]
        self.last: int = begun["last"]

    def publish(
        self, rate: float, seconds: float, size: int = BYTES, *, timed: bool = True
    ) -> dict[str, Any]:
        """Publish, and wait until it's done; gives its answer."""
        self._talking.say({"rate": rate, "seconds": seconds, "bytes": size, "timed": timed})
        published = self._talking.hear()
        self.last = published["last"]
        return published

    def warm_up(self, size: int = BYTES) -> None:
        """Publish some untimed events, one a task at least, and let them arrive."""
        self.publish(2 * self._warming, 0.5, size, timed=False)
        time.sleep(SETTLE_SECONDS)

    def last_after(self, work: Work) -> int:
        """The last seq of each task when it has warmed up and then done the work."""
        return self.last + round(self._warming / len(self.tasks)) + work.per_task

    @property
    def _warming(self) -> int:
        return max(50, len(self.tasks))


@dataclass(frozen=True, slots=True)
class Arena:
    """A contender's server, ready and warm, with its Valkey.

    Attributes:
        contender: who it is.
        server: its server.
        valkey: the port of the Valkey.
        measured: the server's processes.
        held: bytes of memory that they held before they had any number of clients.
    """

    contender: Contender
    server: Server
    valkey: int
    measured: Measured
    held: int = 0

    @contextlib.contextmanager
    def publisher(self, tasks: int) -> Generator[Publisher]:
        """A publisher with so many new tasks."""
        with talker([*self.server.publisher, "--tasks", str(tasks)], cores.OTHERS) as talking:
            yield Publisher(talking)

    def clients(
        self, count: int, tasks: Sequence[str], mode: str = "stream", cursor: str = "", **limits: float
    ) -> AbstractContextManager[Clients]:
        """Clients of those tasks, in turn, from the first event on or behind a cursor."""
        ending = f"\t{cursor}" if cursor else ""
        targets = [self.contender.path(task_id) + ending for task_id in tasks]
        return clients(mode, self.server.port, count, targets, on=cores.OTHERS, **limits)

    @contextlib.contextmanager
    def slow_clients(self, count: int, tasks: Sequence[str]) -> Generator[None]:
        """Clients that read a byte a second, if any."""
        if not count:
            yield
            return
        with self.clients(count, tasks, "slow", seconds=3600) as slow:
            slow.wait_until_ready()
            yield


@contextlib.contextmanager
def arena(contender: Contender) -> Generator[Arena]:
    """A contender on a new Valkey; it has served a few clients, so that what it loads late is there."""
    with system.valkey(cores.OTHERS) as valkey, contender.serve(valkey) as server:
        it = Arena(contender, server, valkey, Measured(server.pids, valkey))
        play(it, Work(clients=20, tasks=10, rate=100, seconds=0.5))
        yield replace(it, held=it.measured.resident())


def play(it: Arena, work: Work, slow: int = 0) -> Outcome:
    """Connect all clients, warm up, publish, wait until all have all, and look at the cost.

    Args:
        it: where.
        work: what is to be done.
        slow: how many clients that read a byte a second are there besides.
    """
    with it.publisher(work.tasks) as publisher:
        until, most = publisher.last_after(work), work.seconds + PATIENCE_SECONDS
        with it.clients(work.clients, publisher.tasks, until=until, seconds=most) as crowd:
            crowd.wait_until_ready()
            connected = it.measured.resident()
            with it.slow_clients(slow, publisher.tasks):
                publisher.warm_up(work.size)
                outcome = _publish(it, work, publisher, crowd)
                cut_off = _cut_off(it, slow) if slow else 0
    return replace(
        outcome,
        memory=(connected - it.held) / work.clients,
        grown=max(0, it.measured.peak() - connected),
        cut_off=cut_off,
    )


def _cut_off(it: Arena, slow: int) -> int:
    """How many slow clients there aren't any more, when the others have gone."""
    time.sleep(SETTLE_SECONDS)
    return slow - it.measured.clients(it.server.port)


def _publish(it: Arena, work: Work, publisher: Publisher, crowd: Clients) -> Outcome:
    _, commands = it.measured.redis()
    cpu, waited, idle = it.measured.cpu_seconds(), it.measured.waited_seconds(), idle_seconds(cores.OTHERS)
    began = time.monotonic()
    published = publisher.publish(work.rate, work.seconds, work.size)
    received = crowd.wait_for_the_end()
    seconds = time.monotonic() - began
    cpu, waited = it.measured.cpu_seconds() - cpu, it.measured.waited_seconds() - waited
    idle = idle_seconds(cores.OTHERS) - idle
    connections, commands_after = it.measured.redis()
    return Outcome(
        work=work,
        received=received,
        wrong=abs(work.clients * publisher.last - received.deliveries) + received.disordered,
        cpu_seconds=cpu,
        seconds=seconds,
        redis=connections,
        commands=(commands_after - commands) / seconds,
        waited=waited,
        others=max(0, 1 - idle / seconds / len(cores.OTHERS)),
        late_ms=published["late_ms"],
    )
