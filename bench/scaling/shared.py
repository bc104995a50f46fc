"""What a server has to do and hold: a Cluster's bells, the key each renewal writes to, a log's entries."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence

from redis import Redis

from bench import system
from bench.figures import Figure, Finding
from bench.logs import open_bench, sealed_log
from bench.measured import Measured, ask
from bench.scaling.stand import measured_redis
from events import scripts
from events.keys import Keys
from events.wire import Command, pack

NODES = 3
SLOTS = 16_384
BELLS = 200_000
RENEWALS = 100_000
RUNNING = 100_000
"""Unfinished tasks, each with its deadline."""

QUICK = 10
"""What a quick look divides these by."""

ENTRIES = 50_000
BATCH = 500
_TASK = "01938e5e-0000-7000-8000-{:012x}"


def measure(quick: bool) -> list[Finding]:
    """The cost of a bell to the node that rings it and to each other one; the cost of a renewal."""
    share = QUICK if quick else 1
    return [*_bells(BELLS // share), *_renewals(RENEWALS // share), asyncio.run(_entry(ENTRIES // share))]


def _bells(count: int) -> list[Finding]:
    channel = Keys().bell(_TASK.format(1))
    with _cluster() as ports:
        nodes = [measured_redis(port) for port in ports]
        before, began = [node.cpu_seconds() for node in nodes], time.monotonic()
        _send(ports[0], itertools.repeat(("PUBLISH", channel, "1-1"), count))
        _wait_for_bells(ports, count)
        seconds = time.monotonic() - began
        cpu = [(node.cpu_seconds() - then) * 1e6 / count for node, then in zip(nodes, before, strict=True)]
    note = f"{count:,} at {count / seconds:,.0f} a second, {NODES} nodes, nobody listens"
    return [
        Figure("scaling: a bell, CPU of the node that rings it", cpu[0], "µs", None, note),
        Figure("scaling: a bell, CPU of each other node of the Cluster", max(cpu[1:]), "µs"),
    ]


def _renewals(count: int) -> list[Finding]:
    """As worker/lease does it: a script for the lease, and one for the deadline, whose key all share."""
    keys = Keys()
    with system.valkey() as port, Redis(port=port) as client:
        essential, renew = (str(client.script_load(text)) for text in (scripts.ESSENTIAL, scripts.RENEW))
        tasks = [_TASK.format(number) for number in range(RUNNING)]
        client.zadd(keys.deadlines, dict.fromkeys(tasks, 0))
        server, turns = measured_redis(port), list(itertools.islice(itertools.cycle(tasks), count))
        deadlines = [
            ("EVALSHA", essential, "1", keys.deadlines, "ZADD", "XX", str(number), task)
            for number, task in enumerate(turns)
        ]
        leases = [
            ("EVALSHA", renew, "2", keys.lease(task), keys.task(task), "me", "10000", "1") for task in turns
        ]
        shared, own = (_cost(server, port, commands) for commands in (deadlines, leases))
    what, note = "scaling: a renewal, CPU of Valkey", f"{RUNNING:,} running tasks"
    return [
        Figure(f"{what} for `deadlines`, which all tasks share", shared, "µs", None, note),
        Figure(f"{what} for the lease, in the task's own slot", own, "µs", None, note),
    ]


async def _entry(count: int) -> Figure:
    """The memory of a log over its entries, of a usual size: 150 bytes of data, 270 as a document."""
    with system.valkey() as port:
        async with open_bench(port) as bench:
            task_id = await sealed_log(bench, count)
        with Redis(port=port) as client:
            size = client.memory_usage(Keys().log(task_id), samples=0)
    assert isinstance(size, int)
    return Figure(
        "scaling: an entry of a log, memory of Valkey", size / count, "bytes", None, f"of {count:,}"
    )


def _cost(server: Measured, port: int, commands: Sequence[Command]) -> float:
    before = server.cpu_seconds()
    _send(port, commands)
    return (server.cpu_seconds() - before) * 1e6 / len(commands)


def _send(port: int, commands: Iterable[Command]) -> None:
    """Send them some hundreds at a time, and wait for the replies of each time."""
    waiting = iter(commands)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection.makefile("rb") as replies:
            while batch := list(itertools.islice(waiting, BATCH)):
                connection.sendall(b"".join(map(pack, batch)))
                for _ in batch:
                    if not (reply := replies.readline()).startswith(b":"):
                        raise ValueError(f"not a number: {reply!r}")


@contextlib.contextmanager
def _cluster() -> Generator[list[int]]:
    """A Cluster of primaries on this machine, each with its part of the slots; gives their ports."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        for _ in range(NODES):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            bus = str(system.free_port())
            more = {"cluster-enabled": "yes", "cluster-port": bus, "dir": folder}
            ports.append(port := stack.enter_context(system.valkey((), more)))
            with Redis(port=port) as client:
                first, last = (SLOTS * part // NODES for part in (len(ports) - 1, len(ports)))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
                with Redis(port=ports[0]) as introducer:
                    introducer.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        system.wait_until(lambda: all(map(_is_whole, ports)), "the Cluster is whole")
        yield ports


def _is_whole(port: int) -> bool:
    told = ask(port, "CLUSTER INFO")
    return "cluster_state:ok" in told and f"cluster_known_nodes:{NODES}" in told


def _wait_for_bells(ports: list[int], count: int) -> None:
    """Until every other node has heard of all of them."""

    def heard() -> bool:
        pattern = re.compile(r"cluster_stats_messages_publish_received:(\d+)")
        found = [pattern.search(ask(port, "CLUSTER INFO")) for port in ports[1:]]
        return all(match is not None and int(match[1]) >= count for match in found)

    system.wait_until(heard, "the nodes have heard all bells")
