"""Cancel, success, failure and timeout set out for the same task at once: one of them ends it, and once.

First the parties by themselves, thousands of times, with claims, writers and seals as pods and workers use
them; then real graphs on a real worker, cancelled over HTTP as they end or run out of time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from events.errors import AlreadyEnded, Fenced, Held, Moved, Sealed
from events.log import Claim
from events.model import Entry, Event, EventType
from events.sealing import seal
from tests.chaos import processes, runner_races
from tests.chaos.outcome import Outcome
from tests.chaos.parties import Party, party, submission
from tests.chaos.verdict import ENDINGS, ending, ending_of, sweep, wrong_with
from tests.support.sweeping import sweeping

ROUNDS = 2000
SHORT = 150

LANES = 20
LEASE_MS = 60_000
SPREAD_SECONDS = 0.03
"""Within this time all set out; the timekeeper, whom only the end of the task stops, has twice as long."""

SUCCESS = Event(EventType.TASK_SUCCEEDED, {"result": None})
FAILURE = Event(EventType.TASK_FAILED, {"code": "graph_error", "message": "none"})
TIMEOUT = Event(EventType.TASK_FAILED, {"code": "timeout", "message": "none"})
CANCELLED = Event(EventType.TASK_CANCELLED)

TOO_LATE = (Held, Moved, Fenced, Sealed)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who races: two workers, two pods, and whoever ends what ran for too long."""

    worker: Party
    successor: Party
    pods: tuple[Party, Party]
    timekeeper: Party


@dataclass(slots=True)
class Race:
    """One task's.

    Attributes:
        task_id: the task.
        rng: what is random about it.
        barrier: where all wait for each other.
        claim: the worker's, if it has the task before.
        sealed: the terminal events of those who were told that theirs is in the log.
        wrong: what should not have been; a sentence each.
        ended_by: one of `ENDINGS`.
    """

    task_id: str
    rng: random.Random
    barrier: asyncio.Barrier
    claim: Claim | None
    sealed: list[Event] = field(default_factory=list[Event])
    wrong: list[str] = field(default_factory=list[str])
    ended_by: str = ""

    async def start(self, within: float = SPREAD_SECONDS) -> None:
        """Wait for the others, and then perhaps a moment more: at most so many seconds."""
        delay = self.rng.choice((0.0, self.rng.random() * within))
        await self.barrier.wait()
        await asyncio.sleep(delay)


async def run(rounds: int, seed: int) -> list[Outcome]:
    """So many races among the parties, and a tenth as many on a worker."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = await stack.enter_async_context(processes.valkey(Path(folder)))
        outcome = await _run(server.url, rounds, seed)
        return [outcome, await runner_races.run(server, max(20, rounds // 10), seed)]


async def _run(url: str, rounds: int, seed: int) -> Outcome:
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        async with contextlib.AsyncExitStack() as racing:
            one, two, three, four, five = [await racing.enter_async_context(party(url)) for _ in range(5)]
            sweeper = await racing.enter_async_context(party(url))
            at_work = sweeping(sweeper.store, sweeper.appender, sweeper.tasks.dispatcher)
            await racing.enter_async_context(at_work)
            races = await _races(Parties(one, two, (three, four), five), rounds, seed)
        it = await stack.enter_async_context(party(url))
        swept = await sweep(it)
        failures = [failure for race in races for failure in race.wrong]
        failures += [wrong for race in races for wrong in await wrong_with(it.tasks, race.task_id)]
    ends = Counter(race.ended_by for race in races)
    failures += [f"no race ended by {one}" for one in ENDINGS if not ends[one]]
    figures = {f"ended by {one}": f"{ends[one]:,}" for one in ENDINGS}
    figures["settled by the sweeper"] = f"{swept:,}"
    fault = "cancel, success, failure and timeout race"
    seconds = time.monotonic() - began
    return Outcome(fault, rounds, seconds, figures, [f"{failure} (seed {seed})" for failure in failures])


async def _races(parties: Parties, rounds: int, seed: int) -> list[Race]:
    """All of them, several at a time."""
    races: list[Race] = []
    numbers = iter(range(rounds))

    async def lane() -> None:
        for number in numbers:
            races.append(await _race(parties, random.Random(f"{seed}:{number}")))

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane())
    return races


async def _race(parties: Parties, rng: random.Random) -> Race:
    """All set out at once: its worker, a successor, one pod or two that cancel it, and the timekeeper."""
    new, claim = submission(), None
    await parties.worker.store.submit(new)
    if rng.random() < 0.75:
        claim = await parties.worker.log.claim(new.task_id, "worker", worker="worker", lease_ms=LEASE_MS)
        if rng.random() < 0.4:  # nobody has renewed it for long
            await parties.worker.log.release(claim)
    pods = parties.pods[: rng.choice((1, 2))]
    race = Race(new.task_id, rng, asyncio.Barrier(3 + len(pods)), claim)
    await asyncio.gather(
        _work(parties.worker, race, SUCCESS, claim),
        _work(parties.successor, race, FAILURE, None),
        _time_out(parties.timekeeper, race),
        *(_cancel(pod, race) for pod in pods),
    )
    _check(race, (await parties.worker.log.last(new.task_id))[0])
    return race


async def _work(it: Party, race: Race, end: Event, claim: Claim | None) -> None:
    """End the task as its worker, who may hear of a cancellation before, and may have to claim it first."""
    await race.start()
    with contextlib.suppress(*TOO_LATE):
        if claim is None:
            claim = await it.log.claim(race.task_id, end.type, worker="worker", lease_ms=LEASE_MS)
        writer = it.appender.writer(claim)
        for number in range(race.rng.randrange(4)):
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
        if race.rng.random() < 0.5 and (await it.store.get(race.task_id)).cancel_requested:
            await writer.append(Event(EventType.TASK_CANCEL_REQUESTED))
            end = CANCELLED
        await writer.append(end)
        await writer.flush()
        race.sealed.append(end)
        await it.store.settle(race.task_id)
        await it.log.release(claim)


async def _time_out(it: Party, race: Race) -> None:
    """End the task because it has run for too long, whoever had it."""
    await race.start(2 * SPREAD_SECONDS)
    with contextlib.suppress(*TOO_LATE):
        if race.claim is not None:
            await it.log.release(race.claim)
        await seal(it.store, it.appender, race.task_id, [TIMEOUT], worker="timekeeper")
        race.sealed.append(TIMEOUT)


async def _cancel(pod: Party, race: Race) -> None:
    await race.start()
    try:
        await pod.control.cancel(race.task_id)
    except AlreadyEnded:
        if not await pod.tasks.ended(race.task_id):
            race.wrong.append(f"task {race.task_id}: a pod said that it had ended before it had")


def _check(race: Race, last: Entry) -> None:
    """A pod isn't told whether it was its cancellation that ended the task; all others are."""
    told = [ending_of(event.type, event.data) for event in race.sealed]
    race.ended_by = ending(last)
    if told != [race.ended_by] and (told or race.ended_by != "cancel"):
        race.wrong.append(f"task {race.task_id}: its end is by {race.ended_by}, and theirs said {told}")
