"""Replies of executed commands get lost, again and again: nothing is written twice, and nothing is missing.

Whoever works with the log reaches Redis through a proxy that swallows replies and cuts the connection. Tasks
live their lives meanwhile, many at once, and whoever is told that Redis went away asks again, as the
protocol has it. In the end each log must hold what was to be written, once and in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from events.connect import AWAY
from events.errors import AlreadyEnded, Fenced, Held, Moved, Sealed
from events.log import Claim
from events.model import Entry, Event, EventType
from events.sealing import CANCELLED, seal
from tests.chaos import processes
from tests.chaos.interposer import Point, interposed
from tests.chaos.outcome import Outcome
from tests.chaos.parties import Party, party, submission
from tests.chaos.tasks import Tasks, tasks
from tests.chaos.verdict import wrong_with

ROUNDS = 2000
SHORT = 100

SHARE = 0.4
RESTORES_SHARE = 0.1
"""Of the replies so many are lost; of those to an appender that makes sure on a new connection, fewer."""

GENERATION = 100
"""After so many rounds come new parties."""

PARTIES = 3
LANES = 24
LEASE_MS = 60_000
SIZES = (1, 1, 2, 5, 20, 150)
"""Of the batches that are appended at once."""

KINDS = {
    b"\r\nEVAL\r\n": "restore",
    b"task.submitted": "create",
    b'{"seq":': "append",
    b'"resumed_from"': "claim",
    b"cancel_requested_at": "wish",
    b":gone": "settle",
    b":deadlines": "deadline",
    b":lease": "release",
}
"""What tells a batch of commands; the first that it holds does."""

ENDS = (
    Event(EventType.TASK_SUCCEEDED, {"result": None}),
    Event(EventType.TASK_FAILED, {"code": "graph_error", "message": "none"}),
)

T = TypeVar("T")


class Thief:
    """Swallows replies, and counts what they answered."""

    def __init__(self, rng: random.Random) -> None:
        self.lost: Counter[str] = Counter()
        self._rng = rng

    async def judge(self, point: Point, batch: bytes) -> bool:
        """Whether the reply may pass."""
        kind = next((kind for mark, kind in KINDS.items() if mark in batch), None)
        share = RESTORES_SHARE if kind == "restore" else SHARE
        if point is not Point.EXECUTED or kind is None or self._rng.random() >= share:
            return True
        self.lost[kind] += 1
        return False

    @property
    def rounds(self) -> int:
        """The lost replies to appends and claims."""
        return self.lost["append"] + self.lost["claim"]


@dataclass(frozen=True, slots=True)
class Life:
    """A task that has ended, and what its log must hold: types, and the numbers of its progress."""

    task_id: str
    expected: Sequence[str]


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Lose that many replies to appends and claims, and others beside."""
    began = time.monotonic()
    thief = Thief(random.Random(seed))
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = await stack.enter_async_context(processes.valkey(Path(folder), aof=True))
        async with interposed(server.port, thief.judge) as proxy:
            lives = await _generations(proxy.url, thief, rounds, seed)
        direct = await stack.enter_async_context(tasks(server.url))
        logs = [(life, await direct.entries(life.task_id)) for life in lives]
        failures = [failure for life, entries in logs for failure in await _check(direct, life, entries)]
    differences = [_difference(life, entries) for life, entries in logs]
    figures = {f"{kind} replies lost": f"{count:,}" for kind, count in sorted(thief.lost.items())}
    figures |= {"tasks": f"{len(lives):,}", "entries": f"{sum(len(entries) for _, entries in logs):,}"}
    figures["doubled"] = str(sum(surplus.total() for surplus, _ in differences))
    figures["missing"] = str(sum(lack.total() for _, lack in differences))
    fault = "the reply of an executed append or claim is lost"
    seconds = time.monotonic() - began
    failures = [f"{failure} (seed {seed})" for failure in failures]
    return [Outcome(fault, thief.rounds, seconds, figures, failures)]


async def _generations(url: str, thief: Thief, rounds: int, seed: int) -> list[Life]:
    """Have tasks live until enough was lost.

    Each connection of an appender begins with what the last one may have lost, which grows: so now and then
    come other parties.
    """
    lives: list[Life] = []
    rngs = (random.Random(f"{seed}:{number}") for number in itertools.count())
    while thief.rounds < rounds:
        async with contextlib.AsyncExitStack() as stack:
            parties = [await stack.enter_async_context(party(url)) for _ in range(PARTIES)]
            lives += await _live(parties, thief, min(rounds, thief.rounds + GENERATION), rngs)
    return lives


async def _live(
    parties: Sequence[Party], thief: Thief, rounds: int, rngs: Iterator[random.Random]
) -> list[Life]:
    """Several at a time."""
    lives: list[Life] = []

    async def lane() -> None:
        while thief.rounds < rounds:
            rng = next(rngs)
            live = rng.choice((_written, _written, _written, _cancelled))
            lives.append(await live(rng.sample(parties, len(parties)), rng))

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane())
    return lives


async def _written(parties: Sequence[Party], rng: random.Random) -> Life:
    """A task that is submitted, claimed by one of several, written to and sealed."""
    new = submission()
    await _insist(lambda: parties[0].store.submit(new))
    it, claim = await _one_claim(parties, new.task_id)
    writer, expected = it.appender.writer(claim), ["task.submitted", "attempt.started"]
    for size in rng.choices(SIZES, k=rng.randrange(8)):
        for _ in range(size):
            number = len(expected)
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
            expected.append(f"progress {number}")
        if rng.random() < 0.5:
            await writer.flush()
    end = rng.choice(ENDS)
    await writer.append(end)
    await writer.flush()
    await _insist(lambda: it.store.settle(new.task_id))
    await _insist(lambda: it.log.release(claim))
    return Life(new.task_id, [*expected, end.type.value])


async def _one_claim(parties: Sequence[Party], task_id: str) -> tuple[Party, Claim]:
    """Have all claim the task at once; one of them must have it, and no other."""
    asked = [
        _insist(functools.partial(_claim, it, task_id, str(number))) for number, it in enumerate(parties)
    ]
    answers = zip(parties, await asyncio.gather(*asked), strict=True)
    won = [(it, claim) for it, claim in answers if claim is not None]
    if len(won) != 1:
        raise AssertionError(f"{len(won)} of {len(parties)} claims of task {task_id} were won")
    return won[0]


async def _claim(it: Party, task_id: str, owner: str) -> Claim | None:
    with contextlib.suppress(Held):
        return await it.log.claim(task_id, owner, worker=owner, lease_ms=LEASE_MS)
    return None


async def _cancelled(parties: Sequence[Party], rng: random.Random) -> Life:
    """A task that is cancelled, by one pod or two, before any worker has it."""
    it, new = parties[0], submission()
    await _insist(lambda: it.store.submit(new))
    pods = parties[: rng.choice((1, 2))]
    await asyncio.gather(*(_insist(functools.partial(_cancel, pod, new.task_id)) for pod in pods))
    expected = ["task.submitted", "attempt.started", "task.cancel_requested", "task.cancelled"]
    while not await it.tasks.ended(new.task_id):
        await _insist(lambda: _lapse(it, new.task_id))
        await _insist(functools.partial(_cancel, it, new.task_id))
        expected.insert(1, "attempt.started")
    await _insist(lambda: it.store.settle(new.task_id))
    return Life(new.task_id, expected)


async def _lapse(it: Party, task_id: str) -> None:
    """A pod that heard nothing of its claim, however often it asked, leaves a lease that must run out."""
    await it.log.redis.delete(it.log.keys.lease(task_id))


async def _cancel(it: Party, task_id: str) -> None:
    """A pod's wish, and what a worker's sweeper makes of it."""
    with contextlib.suppress(AlreadyEnded):
        await it.control.cancel(task_id)
    with contextlib.suppress(Held, Moved, Fenced, Sealed):
        await seal(it.store, it.appender, task_id, CANCELLED, worker="sweeper")


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """Ask until there's an answer."""
    while True:
        try:
            return await call()
        except AWAY:
            await asyncio.sleep(0)


async def _check(direct: Tasks, life: Life, entries: Sequence[Entry]) -> list[str]:
    wrong = await wrong_with(direct, life.task_id)
    if [_label(entry) for entry in entries] != life.expected:
        surplus, lack = map(dict, _difference(life, entries))
        wrong.append(f"task {life.task_id}: too much {surplus}, too little {lack}, or not in order")
    return wrong


def _difference(life: Life, entries: Sequence[Entry]) -> tuple[Counter[str], Counter[str]]:
    """What the log has too much, and too little."""
    found, expected = Counter(map(_label, entries)), Counter(life.expected)
    return found - expected, expected - found


def _label(entry: Entry) -> str:
    """What tells an entry from the others of its log: its type, and of progress its number."""
    if entry.type is not EventType.PROGRESS:
        return entry.type.value
    return f"{entry.type} {entry.event['data']['number']}"
