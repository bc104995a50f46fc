"""The races again with a worker and a pod: graphs end, ask or run out of time, people cancel and answer.

What the worker asks of Redis is held up by moments of chance, so that a pod may come between any two steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Generator
from http import HTTPStatus

from events.model import EventType
from events.settings import Settings
from tests.chaos.endings import SPEC, TICK_SECONDS
from tests.chaos.interposer import Point, interposed
from tests.chaos.outcome import Outcome
from tests.chaos.parties import party
from tests.chaos.processes import Server
from tests.chaos.tasks import Tasks
from tests.chaos.verdict import ENDINGS, ending, sweep, wrong_with
from tests.support.pods import RunningPod, running_pod, running_worker
from tests.support.waiting import wait_until

LANES = 8
TICKS = 20
"""A graph works for one to so many of them."""

TIMEOUT_SECONDS = 0.8 * TICKS * TICK_SECONDS
CANCEL_SECONDS = 2 * TIMEOUT_SECONDS
"""Within this time after its submit a task is cancelled."""

HELD_UP, HELD_UP_SECONDS = 0.1, 0.02
"""So many of the batches of commands, and of their replies, are held up, and for that long at most."""

END_SECONDS = 30.0

ENOUGH = 100
"""In so many races each end must occur; fewer may miss one."""


async def run(server: Server, rounds: int, seed: int) -> Outcome:
    """So many races on that Valkey."""
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        it = await stack.enter_async_context(party(server.url))
        its = it.tasks
        task_ids, failures = await _on_a_worker(server, its, rounds, seed)
        swept = await sweep(it)
        failures += [wrong for task_id in task_ids for wrong in await wrong_with(its, task_id)]
        ends = Counter([ending((await its.log.last(task_id))[0]) for task_id in task_ids])
    failures += [f"no race ended by {one}" for one in ENDINGS if not ends[one] and rounds >= ENOUGH]
    figures = {f"ended by {one}": f"{ends[one]:,}" for one in ENDINGS}
    figures["settled by the sweeper"] = f"{swept:,}"
    fault = "the same on a worker, with POST /cancel and /resume"
    seconds = time.monotonic() - began
    return Outcome(fault, rounds, seconds, figures, [f"{failure} (seed {seed})" for failure in failures])


async def _on_a_worker(server: Server, its: Tasks, rounds: int, seed: int) -> tuple[list[str], list[str]]:
    """The tasks raced for on a worker and a pod, and what went wrong."""
    rng = random.Random(seed)

    async def hold_up(point: Point, batch: bytes) -> bool:
        del point, batch
        if rng.random() < HELD_UP:
            await asyncio.sleep(rng.random() * HELD_UP_SECONDS)
        return True

    settings = Settings(redis_url=server.url, task_timeout_seconds=TIMEOUT_SECONDS, concurrency=2 * LANES)
    async with interposed(server.port, hold_up) as proxy, running_pod(settings) as pod:
        slow = settings.model_copy(update={"redis_url": proxy.url})
        with _without_tracebacks():
            async with running_worker(slow, [SPEC]):
                return await _races(pod, its, rounds, seed)


@contextlib.contextmanager
def _without_tracebacks() -> Generator[None]:
    """The graphs that fail do so on purpose; a worker prints where."""
    printing = logging.getLogger("worker")
    printing.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        printing.setLevel(logging.NOTSET)


async def _races(pod: RunningPod, its: Tasks, rounds: int, seed: int) -> tuple[list[str], list[str]]:
    task_ids, failures = list[str](), list[str]()
    numbers = iter(range(rounds))

    async def lane() -> None:
        for number in numbers:
            rng = random.Random(f"{seed}:{number}")
            given = {"ticks": rng.randint(1, TICKS), "then": rng.choice(("succeed", "fail", "ask"))}
            task_id = await pod.submit("ending", input=given)
            task_ids.append(task_id)
            failures.extend(await _race(pod, its, task_id, rng))

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane())
    return task_ids, failures


async def _race(pod: RunningPod, its: Tasks, task_id: str, rng: random.Random) -> list[str]:
    """Cancel a task, or answer it, and cancel it once more perhaps; it must end soon."""
    word, moments = rng.choice(("cancel", "resume")), [rng.random() * CANCEL_SECONDS for _ in range(2)]
    first = rng.choice((None, moments[0])) if word == "cancel" else None
    wishes = [_wish(pod, its, task_id, word, first)]
    if rng.random() < 0.3:
        wishes.append(_wish(pod, its, task_id, "cancel", moments[1]))
    answers = await asyncio.gather(*wishes)
    try:
        await wait_until(lambda: its.ended(task_id), END_SECONDS)
    except AssertionError:
        answers.append(f"it hasn't ended {END_SECONDS:g} s later")
    return [f"task {task_id}: {answer}" for answer in answers if answer]


async def _wish(pod: RunningPod, its: Tasks, task_id: str, word: str, moment: float | None) -> str:
    """Cancel or answer a task after so many seconds, or when it asks or has ended; gives what was wrong."""
    if moment is None:
        await wait_until(lambda: _has_come_to_its_end(its, task_id), END_SECONDS)
    else:
        await asyncio.sleep(moment)
    answer = await pod.client.post(f"/tasks/{task_id}/{word}", json={"value": "yes"})
    if answer.status_code == HTTPStatus.ACCEPTED:
        return ""
    if answer.status_code != HTTPStatus.CONFLICT:
        return f"{word} was answered by {answer.status_code}"
    early = word == "cancel" and not await its.ended(task_id)
    return "a pod said that it had ended before it had" if early else ""


async def _has_come_to_its_end(its: Tasks, task_id: str) -> bool:
    last = (await its.log.last(task_id))[0]
    return last.terminal or last.type is EventType.TASK_INTERRUPTED
