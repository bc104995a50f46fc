"""A pod with all the streams on it is killed, or asked to go: every client ends with the exact log."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import median
from events.append import AttemptWriter
from events.background import stop
from events.model import Event, EventType
from tests.chaos.outcome import Outcome
from tests.chaos.parties import Party, party, submission
from tests.chaos.processes import Pod, pod, valkey
from tests.chaos.readers import Reader, differences
from tests.support.waiting import wait_until

ROUNDS = 20
SHORT = 2

READERS = 500
TASKS = 10
PAUSE_SECONDS = 0.05
"""Between two events of a task."""

CANCELLING = "on_disconnect=cancel"
"""It's the pod that leaves and not the client, so no task may be cancelled."""

SLEEPERS = 10
LONG_LOG = 8_000
"""Entries of the log that is sent to clients which don't read: several times what their sockets hold."""

DRAIN_SECONDS = 5.0
"""Within what time of its SIGTERM a pod shall have ended every stream, those of slow clients too."""

PATIENCE_SECONDS = 60.0
SUCCEEDED = Event(EventType.TASK_SUCCEEDED, {"result": None})


@dataclass(frozen=True, slots=True)
class _Stand:
    """Two pods, of which one is struck while the other goes on, and what is written beside them."""

    pods: Sequence[Pod]
    party: Party
    long_task: str


@dataclass(slots=True)
class _Found:
    """What the rounds have shown."""

    reconnects: int = 0
    entries: int = 0
    inexact: int = 0
    drains: list[float] = field(default_factory=list[float])
    farewells: list[int] = field(default_factory=list[int])
    failures: list[str] = field(default_factory=list[str])

    @property
    def figures(self) -> dict[str, str]:
        """For the table."""
        found = {
            "streams": f"{READERS} on {TASKS} tasks, all on the pod that is struck",
            "reconnects": f"{self.reconnects:,}",
            "entries received": f"{self.entries:,}",
            "clients without the exact log": str(self.inexact),
        }
        if self.drains:
            seconds = f"median {median(self.drains):.1f} s, most {max(self.drains):.1f} s"
            found["SIGTERM to the end of all streams"] = seconds
        if self.farewells:
            retries = f"retry {min(self.farewells):,} to {max(self.farewells):,} ms"
            found["farewells"] = f"{len(self.farewells):,}, {retries}"
        return found


async def run(rounds: int, seed: int) -> list[Outcome]:
    """SIGKILL and SIGTERM in turn, to one pod and the other."""
    chance, began, found = random.Random(seed), time.monotonic(), _Found()
    async with _stand() as stand:
        for number in range(rounds):
            known = len(found.failures)
            await _round(stand, number, chance, found)
            new = [f"round {number}, seed {seed}: {failure}" for failure in found.failures[known:]]
            found.failures[known:] = new
    if rounds > SHORT:  # the short form is a test, which measures no time
        slow = [each for each in found.drains if each > DRAIN_SECONDS]
        found.failures += [f"a pod had its last streams {each:.1f} s after SIGTERM" for each in slow]
    fault = f"pod with {READERS} streams on it killed (SIGKILL, SIGTERM in turn)"
    return [Outcome(fault, rounds, time.monotonic() - began, found.figures, found.failures)]


@contextlib.asynccontextmanager
async def _stand() -> AsyncGenerator[_Stand]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            valkey(Path(folder)) as server,
            pod(server.url) as one,
            pod(server.url) as other,
            party(server.url) as writing,
        ):
            writer = await _begin(writing)
            for number in range(LONG_LOG):
                await writer.append(Event(EventType.PROGRESS, {"number": number, "text": "-" * 800}))
            yield _Stand((one, other), writing, writer.claim.task_id)


async def _begin(its: Party) -> AttemptWriter:
    """A new task under way."""
    new = submission()
    await its.store.submit(new)
    claim = await its.log.claim(new.task_id, new.task_id, worker="chaos", lease_ms=600_000)
    return its.appender.writer(claim)


async def _round(stand: _Stand, number: int, chance: random.Random, found: _Found) -> None:
    """Have all clients on one pod, strike that, and let the tasks end a little later."""
    for each in stand.pods:
        await each.ready()
    place = (number + number // 2) % 2  # each pod has each signal in turn
    victim, addresses = stand.pods[place], [stand.pods[place].address, stand.pods[1 - place].address]
    writers = [await _begin(stand.party) for _ in range(TASKS)]
    task_ids = [writer.claim.task_id for writer in writers]
    readers = [Reader(task_ids[number % TASKS], addresses, CANCELLING) for number in range(READERS)]
    enough = asyncio.Event()
    tasks = [asyncio.create_task(work) for work in (_write(writers, enough), *[it.run() for it in readers])]
    try:
        await wait_until(lambda: all(reader.entries for reader in readers), PATIENCE_SECONDS)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await _strike(stand, victim, readers, found, signal.SIGTERM if number % 2 else signal.SIGKILL)
        await wait_until(lambda: all(reader.connections > 1 for reader in readers), PATIENCE_SECONDS)
        await asyncio.sleep(chance.uniform(0, 0.5))
        enough.set()
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        await asyncio.gather(*done)
    finally:
        await stop(tasks)
    await _check(stand, readers, found)


async def _strike(
    stand: _Stand, victim: Pod, readers: Sequence[Reader], found: _Found, number: signal.Signals
) -> None:
    if number is signal.SIGTERM:
        await _drain(stand, victim, readers, found)
    victim.process.restart()


async def _write(writers: Sequence[AttemptWriter], enough: asyncio.Event) -> None:
    number = 0
    while not enough.is_set():
        number += 1
        for writer in writers:
            await writer.append(Event(EventType.PROGRESS, {"number": number}))
        await asyncio.sleep(PAUSE_SECONDS)
    for writer in writers:
        await writer.append(SUCCEEDED)
        await writer.flush()


async def _drain(stand: _Stand, victim: Pod, readers: Sequence[Reader], found: _Found) -> None:
    """Send SIGTERM while some clients don't read, and see all streams end in time, readiness first."""

    async def not_ready() -> bool:
        return (await victim.client.get("/readyz")).status_code == 503

    with contextlib.ExitStack() as sockets:
        sleepers = [sockets.enter_context(socket.socket()) for _ in range(SLEEPERS)]
        await asyncio.gather(*[_fall_asleep(sleeper, victim, stand.long_task) for sleeper in sleepers])
        began = time.monotonic()
        victim.process.send(signal.SIGTERM)
        await wait_until(not_ready, PATIENCE_SECONDS)
        if any(reader.left_at for reader in readers):
            found.failures.append("a stream ended before readiness failed")
        await wait_until(lambda: not victim.process.running, PATIENCE_SECONDS)
        ended = time.monotonic() - began
    await wait_until(lambda: all(reader.left_at for reader in readers), PATIENCE_SECONDS)
    found.drains.append(ended)
    if any(not reader.farewells for reader in readers):
        found.failures.append("a stream was cut off instead of being ended")
    found.farewells += [time for reader in readers for time in reader.farewells[:1]]


async def _fall_asleep(sleeper: socket.socket, victim: Pod, task_id: str) -> None:
    """Have a stream sent, and read nothing of it but the first byte."""
    loop = asyncio.get_running_loop()
    sleeper.setblocking(False)
    await loop.sock_connect(sleeper, victim.address)
    await loop.sock_sendall(sleeper, Reader(task_id, (), CANCELLING).request)
    await loop.sock_recv(sleeper, 1)


async def _check(stand: _Stand, readers: Sequence[Reader], found: _Found) -> None:
    logs = {task_id: await stand.party.tasks.entries(task_id) for task_id in {r.task_id for r in readers}}
    for reader in readers:
        found.reconnects += reader.connections - 1
        found.entries += len(reader.entries)
        wrong = [] if reader.sealed else ["did not come to the end"]
        wrong += differences(reader, logs[reader.task_id])
        wrong += ["was told of a loss"] if reader.gaps or reader.rewinds else []
        found.inexact += bool(wrong)
        found.failures += [f"a reader of task {reader.task_id} {what}" for what in wrong]
    for task_id in (*logs, stand.long_task):
        if (await stand.party.store.get(task_id)).cancel_requested:
            found.failures.append(f"task {task_id} was cancelled")
