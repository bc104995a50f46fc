"""Pods are killed between the steps of a submit: each 202 ever sent runs and ends, and nothing is left over.

Each pod reaches Redis through a proxy of its own, which counts the batches of commands that a submit sends
and has the pod killed at one of them: before Redis has it, before the pod hears the reply, or just after.
Submits with an Idempotency-Key are repeated at another pod, at once or when the sweeper comes for what the
first try has left; those on a thread are followed by another task there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from events.model import START
from tests.chaos import processes
from tests.chaos.audit import held_threads, logs, orphans
from tests.chaos.endings import SPEC
from tests.chaos.interposer import Point, interposed
from tests.chaos.nursery import ForkedPod, Nursery, nursery
from tests.chaos.outcome import Outcome
from tests.chaos.tasks import Tasks, tasks
from tests.chaos.verdict import ending
from tests.support.waiting import wait_until

ROUNDS = 300
SHORT = 12

LANES = 6
ORPHAN_SECONDS = 30.0
SWEPT_SECONDS = (4.8, 6.5)
"""When a sweeper comes for a submit that was cut off, after it."""

HANDSHAKES = (b"CLIENT", b"SUBSCRIBE", b"PING", b"WAITAOF")
"""What tells batches that belong to no submit."""


@dataclass(slots=True)
class Killer:
    """Has a pod killed at a step of the next submit, once it's armed.

    Attributes:
        step: which batch of the submit it is, from 1; one it never reaches for none.
        point: where that batch is then.
        steps: how many there were so far.
        struck: whether it has.
    """

    step: int
    point: Point
    pod: ForkedPod | None = None
    steps: int = 0
    struck: bool = False

    async def judge(self, point: Point, batch: bytes) -> bool:
        """Whether a batch or its reply may pass."""
        if self.pod is None or any(word in batch for word in HANDSHAKES):
            return True
        self.steps += point is Point.SENT
        self.struck = self.struck or (point is self.point and self.steps == self.step)
        if self.struck:
            await self.pod.kill()
        return not self.struck


@dataclass(slots=True)
class Found:
    """What the rounds came to.

    Attributes:
        struck: how many pods were killed within a submit, by the point.
        accepted: the tasks of all 202 that were sent.
        failures: a sentence each.
    """

    struck: Counter[Point] = field(default_factory=Counter[Point])
    accepted: set[str] = field(default_factory=set[str])
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Request:
    """A submit, the same whenever it's repeated."""

    name: str
    key: str | None
    thread: str | None

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        """POST it."""
        headers = {} if self.key is None else {"Idempotency-Key": self.key}
        body: dict[str, Any] = {"graph": "ending", "metadata": {"round": self.name}}
        if self.thread is not None:
            body["thread_id"] = self.thread
        return await client.post("/tasks", json=body, headers=headers)


@dataclass(frozen=True, slots=True)
class Scene:
    """What all rounds share: the server's port, pods to be killed, one that lives on, and what was found."""

    port: int
    pods: Nursery
    survivor: ForkedPod
    found: Found


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Kill so many pods."""
    began = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = await stack.enter_async_context(processes.valkey(Path(folder)))
        its = await stack.enter_async_context(tasks(server.url))
        pods = await stack.enter_async_context(nursery())
        await stack.enter_async_context(processes.workers(server.url, 1, [SPEC]))
        survivor = await pods.pod(server.url)
        stack.push_async_callback(survivor.close)
        scene = Scene(server.port, pods, survivor, Found())
        await _rounds(scene, rounds, seed)
        figures, failures = await _verdict(scene.found, its)
    fault = "a pod is killed within a submit"
    seconds = time.monotonic() - began
    return [Outcome(fault, rounds, seconds, figures, [f"{failure} (seed {seed})" for failure in failures])]


async def _rounds(scene: Scene, rounds: int, seed: int) -> None:
    steps = {variant: await _steps(scene, *variant) for variant in itertools.product((False, True), repeat=2)}
    numbers = iter(range(rounds))
    async with asyncio.TaskGroup() as following:

        async def lane() -> None:
            for number in numbers:
                rng = random.Random(f"{seed}:{number}")
                variant = rng.random() < 0.6, rng.random() < 0.4
                killer = Killer(rng.randint(1, steps[variant] + 1), rng.choice(list(Point)))
                request = _request(str(number), *variant)
                accepted = await _submit(scene, request, killer)
                following.create_task(_follow(scene, request, accepted, rng))

        await asyncio.gather(*(lane() for _ in range(LANES)))


async def _steps(scene: Scene, keyed: bool, on_thread: bool) -> int:
    """How many batches a submit takes; found out by one that nothing befalls."""
    killer = Killer(step=0, point=Point.SENT)
    await _submit(scene, _request(f"undisturbed {keyed} {on_thread}", keyed, on_thread), killer)
    return killer.steps


def _request(name: str, keyed: bool, on_thread: bool) -> Request:
    return Request(name, f"key {name}" if keyed else None, f"thread {name}" if on_thread else None)


async def _submit(scene: Scene, request: Request, killer: Killer) -> str | None:
    """Submit at a pod that is killed meanwhile, or else when it has answered; gives the task, if it did."""
    async with interposed(scene.port, killer.judge) as proxy:
        killer.pod = pod = await scene.pods.pod(proxy.url)
        try:
            return _accepted(scene, request, await request.send(pod.client))
        except httpx.HTTPError:
            return None
        finally:
            await pod.close()
            if killer.struck:
                scene.found.struck[killer.point] += 1


def _accepted(scene: Scene, request: Request, answer: httpx.Response) -> str | None:
    if answer.status_code != HTTPStatus.ACCEPTED:
        scene.found.failures.append(
            f"round {request.name}: it was answered by {answer.status_code} {answer.text}"
        )
        return None
    task_id: str = answer.json()["task_id"]
    scene.found.accepted.add(task_id)
    return task_id


async def _follow(scene: Scene, request: Request, accepted: str | None, rng: random.Random) -> None:
    """Do what a client does whose pod was killed, and let the thread be used again."""
    client = scene.survivor.client
    if request.key is not None:
        await asyncio.sleep(rng.choice((0.0, 0.0, rng.uniform(*SWEPT_SECONDS))))
        answers = await asyncio.gather(*(request.send(client) for _ in range(rng.choice((1, 1, 2)))))
        task_ids = {accepted, *(_accepted(scene, request, answer) for answer in answers)} - {None}
        if len(task_ids) > 1:
            scene.found.failures.append(f"round {request.name}: its key led to several tasks: {task_ids}")
    if request.thread is not None:
        again = Request(f"{request.name} again", None, request.thread)
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (answer := await again.send(client)).status_code == HTTPStatus.CONFLICT:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.1)
        _accepted(scene, again, answer)


async def _verdict(found: Found, its: Tasks) -> tuple[dict[str, str], list[str]]:
    """Figures and failures, once nothing is expected any more."""
    began = time.monotonic()
    with contextlib.suppress(AssertionError):  # what is left then is told below
        await wait_until(lambda: _is_quiet(its), ORPHAN_SECONDS)
    quiet = time.monotonic() - began
    rounds = Counter([await _round(its, task_id) for task_id in await logs(its)])
    doubled = [name for name, count in rounds.items() if count > 1]
    failures = [*found.failures, *await orphans(its)]
    failures += [f"round {name} made {rounds[name]} tasks" for name in doubled]
    for task_id in found.accepted:
        last = await its.log.last(task_id)
        if not last or ending(last[0]) != "success":
            failures.append(f"task {task_id} was accepted and didn't succeed")
    figures = {f"killed when a batch was {point.name.lower()}": f"{found.struck[point]:,}" for point in Point}
    figures |= {"202s sent": f"{len(found.accepted):,}", "tasks": f"{rounds.total():,}"}
    return figures | {"doubled": f"{len(doubled)}", "in order after": f"{quiet:.1f} s"}, failures


async def _is_quiet(its: Tasks) -> bool:
    redis, keys = its.log.redis, its.log.keys
    left = await redis.zcard(keys.deadlines) + await redis.zcard(keys.queue("default"))
    return not left and not await held_threads(its)


async def _round(its: Tasks, task_id: str) -> str:
    return (await its.log.read(task_id, START, 1))[0].event["data"]["metadata"]["round"]
