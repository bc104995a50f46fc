"""Whether the time of an answer tells that there is a task: another's against one that never was.

A client that may not see the tasks asks for them and for ids of nobody's, by turns in random order, on one
connection. With them come ids of nobody's a second time, so that the table also shows what the ratio of two
things that are the same looks like on this machine. The intervals are 95 % by bootstrap over the turns.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import uvloop
from uuid_utils import uuid7

from bench import system
from bench.figures import Figure, Table, median, nearest_rank
from bench.logs import open_bench
from events.apikeys import KeyDirectory, Role, new_key
from events.append import Appender
from events.keys import Keys
from events.model import Event, EventType
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import qualify

TURNS = 2000
QUICK_TURNS = 300
WARM_UP = 50
TASKS = 50
SAMPLES = 500

ASKED: Mapping[str, str] = {
    "status": "GET /tasks/{}",
    "events": "GET /tasks/{}/events",
    "stream": "GET /tasks/{}/stream",
    "cancel": "POST /tasks/{}/cancel",
}

CALLERS: Mapping[str, tuple[str, str, Role]] = {
    "another tenant's": ("globex", "otto", Role.OPS),
    "another subject's": ("acme", "bob", Role.SUBMIT),
}
"""Who asks for a task of ada's in the tenant acme: tenant, subject and role."""

HEAD = ("asked for", "p50", "p90", "nobody's p50", "p90", "ratio of p50s", "nobody's to nobody's")


class Line:
    """A connection to the pod, made anew when the pod has closed it."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._rest = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        self._socket: socket.socket | None = None

    def ask(self, request: str) -> float:
        """Milliseconds from a request to its 404.

        Raises:
            ValueError: the answer isn't a 404.
        """
        plug = self._socket or socket.create_connection(("127.0.0.1", self._port), timeout=30)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        plug.sendall(request.encode() + self._rest)
        answer = b""
        while not answer.endswith(b'"}'):  # a problem document ends like this, and no head does
            answer += plug.recv(65536) or b'closed"}'
        elapsed = (time.perf_counter() - began) * 1000
        if not answer.startswith(b"HTTP/1.1 404"):
            raise ValueError(f"not a 404: {answer!r}")
        self._socket = plug
        if b"\r\nconnection: close" in answer.lower():
            self.close()
        return elapsed

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


@dataclass(slots=True)
class Times:
    """Milliseconds of each turn: somebody's task, nobody's, and nobody's again."""

    theirs: list[float] = field(default_factory=list[float])
    nobodys: list[float] = field(default_factory=list[float])
    again: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of two medians, and between what it would be in 95 of 100 other runs."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def measure(quick: bool) -> list[Figure | Table]:
    """Ask for tasks of another tenant's, and of another subject's in one's own."""
    turns = QUICK_TURNS if quick else TURNS
    with system.valkey() as valkey:
        tasks, keys = uvloop.run(_fill(valkey))
        with system.pod(valkey, TASKREEL_AUTH="keys") as (port, _):
            found = {
                f"{whose}, {name}": _times(port, keys[whose], request, tasks, turns)
                for whose in CALLERS
                for name, request in ASKED.items()
            }
    ratios = {
        name: (_ratio(it.theirs, it.nobodys), _ratio(it.again, it.nobodys)) for name, it in found.items()
    }
    rows = [_row(name, times, *ratios[name]) for name, times in found.items()]
    title = f"The time of a 404, in ms, {turns:,} turns each; a ratio of 1 tells nothing"
    return [*_figures(list(ratios.values())), Table(title, HEAD, rows)]


def _figures(ratios: Sequence[tuple[Ratio, Ratio]]) -> list[Figure]:
    told, chance = (sum(not it.low <= 1 <= it.high for it in side) for side in zip(*ratios, strict=True))
    note = f"of {len(ratios)}; nobody's to nobody's: {chance}"
    return [Figure("tenants: intervals that leave out 1", told, "", note=note)]


async def _fill(valkey: int) -> tuple[list[str], dict[str, str]]:
    """Tasks of ada's that have ended, and the callers' keys."""
    keys: dict[str, str] = {}
    async with open_bench(valkey) as bench:
        directory = KeyDirectory(bench.redis, Keys())
        for whose, (tenant, subject, role) in CALLERS.items():
            keys[whose], record = new_key(tenant, subject, role)
            await directory.add(record)
        store, appender = TaskStore(bench.log, retention_seconds=3600), bench.appender
        tasks = [await _ended(store, appender) for _ in range(TASKS)]
    return tasks, keys


async def _ended(store: TaskStore, appender: Appender) -> str:
    name = str(uuid7())
    task_id, now = qualify("acme", name), "2026-11-21T00:00:00.000Z"
    await store.submit(Submission(task_id, "hello", "default", {}, name, {}, now, subject="ada"))
    writer = appender.writer(await store.log.claim(task_id, name, worker="bench", lease_ms=60_000))
    for number in range(100):
        await writer.append(Event(EventType.PROGRESS, {"current": number}))
    await writer.append(Event(EventType.TASK_SUCCEEDED, {"result": "x" * 1000}))
    await writer.flush()
    await store.settle(task_id)
    return name


def _times(port: int, key: str, request: str, tasks: Sequence[str], turns: int) -> Times:
    line, times = Line(port, key), Times()
    for turn in range(WARM_UP + turns):
        order = [
            (times.theirs, random.choice(tasks)),
            (times.nobodys, str(uuid7())),
            (times.again, str(uuid7())),
        ]
        random.shuffle(order)
        for kept, task_id in order:
            elapsed = line.ask(request.format(task_id))
            if turn >= WARM_UP:
                kept.append(elapsed)
    line.close()
    return times


def _row(name: str, times: Times, ratio: Ratio, chance: Ratio) -> tuple[str, ...]:
    kept = (times.theirs, times.nobodys)
    cells = [f"{value:.3f}" for of in kept for value in (median(of), nearest_rank(of, 90))]
    return name, *cells, str(ratio), str(chance)


def _ratio(ones: Sequence[float], others: Sequence[float]) -> Ratio:
    found: list[float] = []
    for _ in range(SAMPLES):
        drawn = random.choices(range(len(ones)), k=len(ones))
        found.append(median([ones[at] for at in drawn]) / median([others[at] for at in drawn]))
    value = median(ones) / median(others)
    return Ratio(value, nearest_rank(found, 2.5), nearest_rank(found, 97.5))
