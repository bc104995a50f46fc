"""The load under which Redis fails: tasks that are written and run, and streams that follow them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from events.background import stop
from events.connect import AWAY, patiently
from events.errors import NotCopied
from events.state import Submission
from tests.chaos.parties import Party, submission
from tests.chaos.processes import Pod
from tests.chaos.readers import Reader
from tests.chaos.scribe import POOL, UNHEARD, Scribe
from tests.support.waiting import wait_until

GRAPH = "two_steps=tests.support.graphs:two_steps"
EVENTS = (5, 40)
BEGUN = 3
"""Entries of a task's log before the first that its work has made."""

PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is at a time.

    Attributes:
        written: tasks that scribes write.
        run: tasks that workers run.
        readers: streams on a task, in turn.
        pause: seconds between two events of a task.
    """

    written: int
    run: int
    readers: tuple[int, ...]
    pause: float


@dataclass(slots=True)
class Load:
    """What goes on, and what was promised.

    Args:
        party: submits what scribes write.
        pods: take what workers run, and have the streams.
        scribes: write.
        size: how much of all that.
        chance: where what is random comes from.
        key: the API key for the pods, if they ask for one.

    Attributes:
        readers: all that ever were.
        acknowledged: the ends whose writers were told that they are written, by task.
    """

    party: Party
    pods: Sequence[Pod]
    scribes: Sequence[Scribe]
    size: Size
    chance: random.Random
    key: str = ""
    readers: list[Reader] = field(default_factory=list[Reader])
    acknowledged: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _reading: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _work: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncGenerator[None]:
        """Begin, and wait until all is under way; what hangs in the end is stopped."""
        scribes, readers = itertools.cycle(self.scribes), itertools.cycle(self.size.readers)
        writing = [self._write(next(scribes), next(readers)) for _ in range(self.size.written)]
        running = [self._run(next(readers)) for _ in range(self.size.run)]
        self._work = [asyncio.create_task(each) for each in (*writing, *running)]
        try:
            await wait_until(self._is_under_way, PATIENCE_SECONDS)
            yield
        finally:
            await stop([*self._work, *self._reading])

    @property
    def open_streams(self) -> int:
        """Readers that are at work."""
        return len(self._reading)

    @property
    def under_way(self) -> list[str]:
        """Tasks that readers follow now."""
        return sorted({reader.task_id for reader in self.readers if not (reader.sealed or reader.refused)})

    async def poise(self, scribe: Scribe, tasks: int) -> asyncio.Event:
        """Get tasks ready for a moment: once the event that is given is set, the scribe begins with them.

        A third of them it ends at once, a third goes on, and a third is only submitted then.
        """
        now, numbers = asyncio.Event(), range(tasks)
        new = [submission(POOL) for _ in numbers]
        for number in numbers:
            if number % 3 < 2:
                await self._submit(new[number])
        starts = [self._start(scribe, new[number], now, number % 3) for number in numbers]
        self._work += [asyncio.create_task(start) for start in starts]
        return now

    async def finish(self) -> list[str]:
        """Begin nothing more and wait until all has come to its end; what hasn't, a sentence each."""
        self._enough.set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        _, waiting = await asyncio.wait(self._work, timeout=PATIENCE_SECONDS)
        reading: set[asyncio.Task[None]] = set()
        if self._reading:
            _, reading = await asyncio.wait(self._reading, timeout=max(0, deadline - time.monotonic()))
        failures = [f"{len(waiting)} of {len(self._work)} who write or submit hang"] if waiting else []
        failures += [f"{len(reading)} of {len(self.readers)} readers hang"] if reading else []
        ended = [task.exception() for task in self._work if task.done()]
        return failures + [f"who writes or submits broke off: {error!r}" for error in ended if error]

    def _is_under_way(self) -> bool:
        """Whether there are as many tasks as there should be, each of which is being written to."""
        begun = {reader.task_id for reader in self.readers if len(reader.entries) > BEGUN}
        return len(begun) >= self.size.written + self.size.run

    def _follow(self, task_id: str, readers: int) -> list[asyncio.Task[None]]:
        """Have clients read the task, by one pod or another at first."""
        addresses = [its.address for its in self.pods]
        turned = [addresses[first:] + addresses[:first] for first in range(len(addresses))]
        following = [Reader(task_id, turned[number % len(turned)], key=self.key) for number in range(readers)]
        reading = [asyncio.create_task(reader.run()) for reader in following]
        for task in reading:
            task.add_done_callback(self._reading.discard)
        self.readers += following
        self._reading.update(reading)
        return reading

    async def _write(self, scribe: Scribe, readers: int) -> None:
        """Have one task after the other written."""
        while not self._enough.is_set():
            new = submission(POOL)
            await self._submit(new)
            await self._follow_written(scribe, new.task_id, self.chance.randint(*EVENTS), readers)

    async def _submit(self, new: Submission) -> None:
        """Submit a task, and return once it can't get lost any more."""
        await patiently(functools.partial(self.party.store.submit, new), (*AWAY, NotCopied))

    async def _start(self, scribe: Scribe, new: Submission, now: asyncio.Event, third: int) -> None:
        """Have a task of those begun that wait for the moment."""
        await now.wait()
        if third == 2:
            await self._submit(new)
        await self._follow_written(scribe, new.task_id, EVENTS[1] if third else 0, self.size.readers[0])

    async def _follow_written(self, scribe: Scribe, task_id: str, events: int, readers: int) -> None:
        """Have a submitted task written, and follow it to its end."""
        reading = self._follow(task_id, readers)
        end = await scribe.write(task_id, events)
        if end != UNHEARD:
            self.acknowledged[task_id] = end
        await asyncio.wait(reading)

    async def _run(self, readers: int) -> None:
        """Submit one task after the other to a pod, and follow it to its end."""
        while not self._enough.is_set():
            given = {"count": self.chance.randint(*EVENTS), "pause": self.size.pause}
            await asyncio.wait(self._follow(await self._post(given), readers))

    async def _post(self, given: Mapping[str, object]) -> str:
        """Submit a task; as long as a pod can't take it, ask again."""
        headers, body = {"Idempotency-Key": uuid4().hex}, {"graph": "two_steps", "input": given}
        while True:
            with contextlib.suppress(httpx.HTTPError):
                its = self.chance.choice(self.pods)
                answer = await its.client.post("/tasks", json=body, headers=headers)
                if answer.status_code == 202:
                    return answer.json()["task_id"]
            await asyncio.sleep(0.1)
