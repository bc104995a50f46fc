"""Redis is killed under load and comes back without its last moments: readers are told, no end is lost."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import httpx

from bench.figures import median
from events.background import stop
from events.connect import AWAY
from events.errors import Fenced, Held, TaskNotFound
from events.model import Entry, Event, EventType, parse_timestamp
from tests.chaos.aof import Tail
from tests.chaos.outcome import Outcome
from tests.chaos.parties import Party, party, submission
from tests.chaos.processes import Pod, Process, Server, pod, valkey, workers
from tests.chaos.readers import Reader, differences
from tests.chaos.tasks import check_log

ROUNDS = 20
SHORT = 2

WRITERS = 8
RUNS = 2
"""Tasks at a time that are written to in this process, and that the worker runs."""

PAUSE_SECONDS = 0.045
"""Between two events of a task: all of them together make 200 a second and more."""

CLAIM_MS = 1_000
"""How long a claim made here holds. Nobody but its maker wants the task, so it isn't renewed."""

GRAPH = "two_steps=tests.support.graphs:two_steps"
ALIVE_SECONDS = (1.2, 2.4)
AWAY_SECONDS = (0.05, 0.6)
LONG_AWAY_SECONDS = 30.0
PATIENCE_SECONDS = 90.0

SUCCEEDED = Event(EventType.TASK_SUCCEEDED, {"result": None})
T = TypeVar("T")


@dataclass(slots=True)
class _Scene:
    """The processes, the work that goes on with them, and what was promised.

    Attributes:
        acknowledged: the terminal entries whose writers were told that they are written, by task.
        enough: no more tasks are begun.
    """

    server: Server
    pods: Sequence[Pod]
    worker: Process
    party: Party
    chance: random.Random
    readers: list[Reader] = field(default_factory=list[Reader])
    reading: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    acknowledged: dict[str, bytes] = field(default_factory=dict[str, bytes])
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def follow(self, task_id: str) -> list[asyncio.Task[None]]:
        """Have two clients read the task, one by each pod at first."""
        ports = [its.client.base_url.port or 0 for its in self.pods]
        readers = [Reader(task_id, ports), Reader(task_id, ports[::-1])]
        reading = [asyncio.create_task(reader.run()) for reader in readers]
        self.readers += readers
        self.reading.update(reading)
        return reading


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Kill Redis so often; the full form leaves it away for 30 s as well."""
    began, cuts = time.monotonic(), list[float]()
    async with _scene(seed) as scene:
        tail = Tail(scene.server)
        watching = asyncio.create_task(tail.run())
        work = [asyncio.create_task(_write(scene)) for _ in range(WRITERS)]
        work += [asyncio.create_task(_submit(scene)) for _ in range(RUNS)]
        try:
            for pause in _pauses(rounds, scene.chance):
                await asyncio.sleep(scene.chance.uniform(*ALIVE_SECONDS))
                cuts.append(tail.kill_and_cut(scene.chance))
                await asyncio.sleep(pause)
                await scene.server.restart()
            await asyncio.sleep(ALIVE_SECONDS[0])
            failures = await _finish(scene, work)
        finally:
            await stop([watching, *work, *scene.reading])
        figures, wrong = await _judge(scene)
    failures += [f"seed {seed}: {sentence}" for sentence in wrong]
    lost = f"at most {max(cuts):.2f} s, {sum(map(bool, cuts))} times of {len(cuts)}"
    figures = {"tail that Redis lost": lost, **figures}
    fault = "Redis killed under load, its unsynced tail cut, and started again"
    return [Outcome(fault, rounds, time.monotonic() - began, figures, failures)]


def _pauses(rounds: int, chance: random.Random) -> list[float]:
    short = [chance.uniform(*AWAY_SECONDS) for _ in range(rounds)]
    return short if rounds <= SHORT else [*short, LONG_AWAY_SECONDS]


@contextlib.asynccontextmanager
async def _scene(seed: int) -> AsyncGenerator[_Scene]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder), aof=True) as server,
            pod(server.url) as one,
            pod(server.url) as other,
            workers(server.url, 1, [GRAPH], lease_seconds=3) as processes,
            party(server.url) as writing,
        ):
            yield _Scene(server, (one, other), processes[0], writing, random.Random(seed))


async def _write(scene: _Scene) -> None:
    """Work on one task after the other, as a worker does."""
    its = scene.party
    while not scene.enough.is_set():
        new = submission()
        await _insist(functools.partial(its.store.submit, new))
        scene.follow(new.task_id)
        with contextlib.suppress(TaskNotFound):  # all of it was in the tail that Redis lost
            while not await _attempt(scene, new.task_id):
                pass


async def _attempt(scene: _Scene, task_id: str) -> bool:
    """Whether the task has its end."""
    its, owner = scene.party, uuid4().hex
    with contextlib.suppress(Held, Fenced):
        claim = await _insist(lambda: its.log.claim(task_id, owner, worker="chaos", lease_ms=CLAIM_MS))
        writer = its.appender.writer(claim)
        for number in range(scene.chance.randint(5, 40)):
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
            await asyncio.sleep(PAUSE_SECONDS)
        await writer.append(SUCCEEDED)
        await writer.flush()
        scene.acknowledged[task_id] = bytes(writer.last)
        await _insist(lambda: its.store.settle(task_id))
        return True
    await asyncio.sleep(0.1)
    return False


async def _submit(scene: _Scene) -> None:
    """Submit one task after the other to a pod, and follow it to its end."""
    while not scene.enough.is_set():
        task_id = await _post(scene, {"count": scene.chance.randint(5, 40), "pause": PAUSE_SECONDS})
        await asyncio.wait(scene.follow(task_id))


async def _post(scene: _Scene, given: dict[str, object]) -> str:
    """Submit a task; as long as the pod can't take it, ask again."""
    key = uuid4().hex
    while True:
        body = {"graph": "two_steps", "input": given}
        its = scene.chance.choice(scene.pods)
        with contextlib.suppress(httpx.HTTPError):
            answer = await its.client.post("/tasks", json=body, headers={"Idempotency-Key": key})
            if answer.status_code == 202:
                return answer.json()["task_id"]
        await asyncio.sleep(0.1)


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except AWAY:
            await asyncio.sleep(0.05)


async def _finish(scene: _Scene, work: Sequence[asyncio.Task[None]]) -> list[str]:
    """Begin nothing more, and wait until all that was begun has come to its end."""
    scene.enough.set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    _, waiting = await asyncio.wait(work, timeout=PATIENCE_SECONDS)
    _, reading = await asyncio.wait(scene.reading, timeout=max(0, deadline - time.monotonic()))
    failures = [f"{len(waiting)} of {len(work)} who write or submit hang"] if waiting else []
    failures += [f"{len(reading)} of {len(scene.reading)} readers hang"] if reading else []
    ended = [task.exception() for task in work if task.done()]
    failures += [f"who writes or submits broke off: {error!r}" for error in ended if error]
    processes = [scene.worker, *(its.process for its in scene.pods)]
    return failures + [f"{process.name} has exited" for process in processes if not process.running]


async def _judge(scene: _Scene) -> tuple[dict[str, str], list[str]]:
    """Hold what was promised and what was read against the logs as they are in the end."""
    task_ids = list({reader.task_id for reader in scene.readers})
    logs = {task_id: await scene.party.tasks.entries(task_id) for task_id in task_ids}
    kept = {task_id: entries for task_id, entries in logs.items() if entries}
    ends = {(task_id, entry.raw_id) for task_id, log in kept.items() for entry in log if entry.terminal}
    promised = set(scene.acknowledged.items())
    promised |= {(reader.task_id, event_id) for reader in scene.readers for event_id in reader.shown}
    unlike = {reader.task_id: found for reader in scene.readers if (found := _compare(reader, logs))}
    wrong = [f"task {task_id}: {what}" for task_id, entries in kept.items() for what in check_log(entries)]
    wrong += [f"task {task_id}: its acknowledged end {end} is lost" for task_id, end in promised - ends]
    wrong += [f"a reader of task {task_id} {what}" for task_id, found in unlike.items() for what in found]
    figures = {
        "tasks": f"{len(logs):,}, {len(logs) - len(kept)} of them begun in the lost tail and gone",
        "entries": f"{sum(map(len, logs.values())):,}, {_rate(kept.values())} in a usual second",
        "readers told of rewound logs": str(sum(bool(reader.rewinds) for reader in scene.readers)),
        "readers told of gaps": str(sum(bool(reader.gaps) for reader in scene.readers)),
        "tasks with a reader that has another log": str(len(unlike)),
        "acknowledged ends": f"{len(promised):,}, {len(promised - ends)} lost",
    }
    return figures, wrong


def _rate(logs: Iterable[Sequence[Entry]]) -> int:
    """The median over the seconds in which anything was appended."""
    moments = [parse_timestamp(entry.event["ts"]) for entries in logs for entry in entries]
    return round(median(Counter(moment // 1000 for moment in moments).values()))


def _compare(reader: Reader, logs: Mapping[str, Sequence[Entry]]) -> list[str]:
    """What is wrong with what a reader has in the end, and what it was told."""
    entries = logs[reader.task_id]
    if not entries:
        return [] if reader.refused or reader.sealed else ["was never told that the task is gone"]
    found = differences(reader, entries)
    return [*found, f"was refused with {reader.refused}"] if reader.refused else found
