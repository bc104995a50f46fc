"""All pods behind a proxy are restarted, one by one, as an orchestrator does it, under all their streams.

The proxy is nginx with the configuration of deploy/nginx, which hears of no readiness: it passes over a pod
that refuses connections, and that is all it knows. Where there's no nginx, a plain TCP balancer stands in.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.measured import Measured
from events.append import AttemptWriter
from events.background import stop
from events.model import Event, EventType
from tests.chaos.followers import Follower
from tests.chaos.outcome import Outcome
from tests.chaos.parties import Party, party, submission
from tests.chaos.processes import Pod, pod, valkey
from tests.chaos.readers import differences
from tests.chaos.restarts import Found, Restarts
from tests.support.balancer import balancer
from tests.support.nginx import nginx
from tests.support.waiting import wait_until

ROUNDS = 4
"""Pods, each of which is restarted once."""

SHORT = 2

STREAMS_A_POD = 500
FEW_STREAMS_A_POD = 50
STREAMS_A_TASK = 10
PAUSE_SECONDS = 1.0
"""Between two events of a task."""

SETTLE_SECONDS = 2.0
"""From a pod's readiness to the next one's SIGTERM: an orchestrator's `minReadySeconds`."""

PATIENCE_SECONDS = 90.0

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


@dataclass(frozen=True, slots=True)
class _Stand:
    """Pods behind a proxy, and who writes beside them.

    Attributes:
        pods: all of them.
        port: of the proxy.
        proxy: the processes of nginx that serve, if it's nginx.
        party: who writes.
    """

    pods: Sequence[Pod]
    port: int
    proxy: Measured | None
    party: Party


async def run(rounds: int, seed: int) -> list[Outcome]:
    """Restart so many pods; with all of them, what is due soon is held against its bars."""
    full, began = rounds >= ROUNDS, time.monotonic()
    streams = rounds * (STREAMS_A_POD if full else FEW_STREAMS_A_POD)
    async with _stand(rounds) as stand:
        writers = [await _begin(stand.party) for _ in range(streams // STREAMS_A_TASK)]
        ids = itertools.cycle(writer.claim.task_id for writer in writers)
        followers = [Follower(next(ids), [("127.0.0.1", stand.port)]) for _ in range(streams)]
        restarts = await _follow(followers, writers, stand)
        failures = await _check(followers, stand.party)
    found = Found(followers, restarts)
    fault = f"{rounds} pods with {streams:,} streams restarted, one after the other"
    failures += [f"seed {seed}: {bar}" for bar in found.missed if full]
    return [Outcome(fault, rounds, time.monotonic() - began, found.figures, failures)]


@contextlib.asynccontextmanager
async def _stand(count: int) -> AsyncGenerator[_Stand]:
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = await stack.enter_async_context(valkey(Path(folder)))
        pods = [await stack.enter_async_context(pod(server.url)) for _ in range(count)]
        ports = [_port(it.url) for it in pods]
        proxy = None
        if shutil.which("nginx", path=_PATH):
            found = stack.enter_context(nginx(ports))
            port, proxy = found.port, Measured(_children(found.process.pid), server.port)
        else:
            port = (await stack.enter_async_context(balancer(ports))).port
        yield _Stand(pods, port, proxy, await stack.enter_async_context(party(server.url)))


async def _begin(its: Party) -> AttemptWriter:
    """A new task under way."""
    new = submission()
    await its.store.submit(new)
    claim = await its.log.claim(new.task_id, new.task_id, worker="chaos", lease_ms=600_000)
    return its.appender.writer(claim)


async def _follow(followers: Sequence[Follower], writers: Sequence[AttemptWriter], stand: _Stand) -> Restarts:
    """Have all followers served, restart the pods, let everybody come back, and the tasks end."""
    enough, restarts = asyncio.Event(), Restarts()
    held = stand.proxy.resident() if stand.proxy else 0
    tasks = [asyncio.create_task(_arrive(follower, number)) for number, follower in enumerate(followers)]
    tasks.append(asyncio.create_task(_write(writers, enough)))
    try:
        await wait_until(lambda: all(follower.entries for follower in followers), PATIENCE_SECONDS)
        if stand.proxy:
            restarts.proxy_bytes = (stand.proxy.resident() - held) / len(followers)
        for each in stand.pods:
            await _restart(each, restarts)
        restarts.asked.append(time.monotonic())
        enough.set()
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        await asyncio.gather(*done)
    finally:
        await stop(tasks)
    if stand.proxy:
        restarts.proxy_cpu = stand.proxy.cpu_seconds()
    return restarts


async def _arrive(follower: Follower, number: int) -> None:
    """Come one after the other, as a day's clients do."""
    await asyncio.sleep(number / 500)
    await follower.run()


async def _restart(it: Pod, restarts: Restarts) -> None:
    restarts.asked.append(asked := time.monotonic())
    it.process.send(signal.SIGTERM)
    await wait_until(lambda: not it.process.running, PATIENCE_SECONDS)
    restarts.drains.append((ended := time.monotonic()) - asked)
    await it.restart()
    restarts.starts.append(time.monotonic() - ended)
    await asyncio.sleep(SETTLE_SECONDS)


async def _write(writers: Sequence[AttemptWriter], enough: asyncio.Event) -> None:
    """An event of each task a second, evenly spread; then their ends."""
    for number in itertools.count(1):
        for writer in writers:
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
            await asyncio.sleep(PAUSE_SECONDS / len(writers))
        if enough.is_set():
            break
    for writer in writers:
        await writer.append(Event(EventType.TASK_SUCCEEDED, {"result": None}))
        await writer.flush()


async def _check(followers: Sequence[Follower], its: Party) -> list[str]:
    """What followers have otherwise than the logs; a sentence each."""
    failures: list[str] = []
    logs = {task_id: await its.tasks.entries(task_id) for task_id in {it.task_id for it in followers}}
    for follower in followers:
        wrong = [] if follower.sealed else ["did not come to the end"]
        wrong += differences(follower, logs[follower.task_id])
        wrong += ["was told of a loss"] if follower.gaps or follower.rewinds else []
        failures += [f"a follower of task {follower.task_id} {what}" for what in wrong]
    if not any(follower.interruptions for follower in followers):
        failures.append("nobody was interrupted, so nothing was shown")
    return failures


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _port(url: str) -> int:
    return urlsplit(url).port or 0
