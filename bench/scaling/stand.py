"""Several pods on one Valkey, with clients on each: what is asked of them, and what everybody used for it.

Nothing is pinned to a core: pods, Valkey, the publisher and the clients share those there are.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from bench import system
from bench.contenders import to_log
from bench.fan_out.arena import PATIENCE_SECONDS, Publisher
from bench.fan_out.work import Work
from bench.load import Clients, Received, clients
from bench.measured import Measured, ask, calls
from bench.talk import talker

_PROCESS = re.compile(r"process_id:(\d+)")
_SENT = re.compile(r"total_net_output_bytes:(\d+)")


@dataclass(frozen=True, slots=True)
class Share:
    """What each pod has to do.

    Attributes:
        clients: how many each pod has.
        tasks: that these follow.
        rate: events a second, over those tasks.
        seconds: for how long.
        same: all pods have clients of the same tasks; else each has tasks of its own.
    """

    clients: int
    tasks: int
    rate: float
    seconds: float
    same: bool = True


@dataclass(frozen=True, slots=True)
class Used:
    """What became of it, and what it took.

    Attributes:
        pods: how many there were.
        events: how many were published.
        deliveries: how many of them arrived, over all clients.
        wrong: deliveries that are missing or out of order.
        seconds: from the first event published to the last one received.
        p99_ms: of the latency, of the slowest pod's clients.
        pod_cpu: seconds of CPU of all pods.
        redis_cpu: of Valkey.
        publisher_cpu: of the publisher.
        client_cpu: of the load generators, connecting included.
        commands: that Valkey was asked, by name; the publisher's among them.
        sent: bytes that Valkey has sent.
        received: bytes that a delivery has over HTTP, heads of responses included.
        connections: to Redis, of each pod.
        resident: bytes of memory of each pod with its clients.
    """

    pods: int
    events: int
    deliveries: int
    wrong: int
    seconds: float
    p99_ms: float
    pod_cpu: float
    redis_cpu: float
    publisher_cpu: float
    client_cpu: float
    commands: Counter[str]
    sent: int
    received: float
    connections: Sequence[int]
    resident: Sequence[int]

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.deliveries / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Deliveries for each second of CPU that pods used."""
        return self.deliveries / self.pod_cpu


@dataclass(frozen=True, slots=True)
class Stand:
    """Pods that are ready.

    Attributes:
        valkey: its port.
        pods: the port and the process id of each.
    """

    valkey: int
    pods: Sequence[tuple[int, int]]

    def first(self, count: int) -> Stand:
        """The first so many pods alone; the others are idle, and ask Redis for nothing."""
        return replace(self, pods=self.pods[:count])

    def play(self, share: Share) -> Used:
        """Connect all clients, warm up, publish, wait until all have all, and see what it took."""
        own = 1 if share.same else len(self.pods)
        work = Work(share.clients, own * share.tasks, own * share.rate, share.seconds)
        with contextlib.ExitStack() as stack:
            command = [*to_log(self.valkey), "--tasks", str(work.tasks)]
            publisher = Publisher(stack.enter_context(talker(command, ())))
            until = publisher.last_after(work)
            crowds = [
                stack.enter_context(self._clients(number, share, publisher, until))
                for number in range(len(self.pods))
            ]
            for crowd in crowds:
                crowd.wait_until_ready()
            publisher.warm_up()
            return self._publish(work, publisher, crowds)

    def _clients(
        self, number: int, share: Share, publisher: Publisher, until: int
    ) -> AbstractContextManager[Clients]:
        first = 0 if share.same else number * share.tasks
        paths = [f"/tasks/{task}/stream" for task in publisher.tasks[first : first + share.tasks]]
        port, most = self.pods[number][0], share.seconds + PATIENCE_SECONDS
        return clients("stream", port, share.clients, paths, on=(), until=until, seconds=most)

    def _publish(self, work: Work, publisher: Publisher, crowds: Sequence[Clients]) -> Used:
        measured = [Measured([pid], self.valkey) for _, pid in self.pods] + [measured_redis(self.valkey)]
        before, sent = calls(self.valkey), _sent(self.valkey)
        cpu, began = [each.cpu_seconds() for each in measured], time.monotonic()
        published = publisher.publish(work.rate, work.seconds)
        received, seconds = [crowd.wait_for_the_end() for crowd in crowds], time.monotonic() - began
        cpu = [each.cpu_seconds() - then for each, then in zip(measured, cpu, strict=True)]
        return Used(
            pods=len(self.pods),
            events=published["events"],
            deliveries=sum(each.timed for each in received),
            wrong=sum(_wrong(work, publisher, each) for each in received),
            seconds=seconds,
            p99_ms=max(each.p99_ms for each in received),
            pod_cpu=sum(cpu[:-1]),
            redis_cpu=cpu[-1],
            publisher_cpu=published["cpu_seconds"],
            client_cpu=sum(each.cpu_seconds for each in received),
            commands=calls(self.valkey) - before,
            sent=_sent(self.valkey) - sent,
            received=sum(each.bytes for each in received) / sum(each.deliveries for each in received),
            connections=[each.redis()[0] for each in measured[:-1]],
            resident=[each.resident() for each in measured[:-1]],
        )


def measured_redis(port: int) -> Measured:
    """The process of the Redis at that port."""
    return Measured([int(_told(port, "server", _PROCESS))], port)


def _sent(port: int) -> int:
    return int(_told(port, "stats", _SENT))


def _told(port: int, section: str, pattern: re.Pattern[str]) -> str:
    found = pattern.search(ask(port, f"INFO {section}"))
    assert found is not None
    return found[1]


def _wrong(work: Work, publisher: Publisher, received: Received) -> int:
    return abs(work.clients * publisher.last - received.deliveries) + received.disordered


@contextlib.contextmanager
def stand(pods: int) -> Generator[Stand]:
    """A new Valkey and so many pods, on any core."""
    with contextlib.ExitStack() as stack:
        valkey = stack.enter_context(system.valkey())
        started = [system.pod(valkey, TASKREEL_POD_DRAIN_SECONDS="0") for _ in range(pods)]
        yield Stand(valkey, [stack.enter_context(it) for it in started])
