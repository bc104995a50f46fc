"""Sweeper: looks after tasks that nobody has been heard of in time.

A lost enqueue, a killed worker, a wiped queue and a restarted Redis all look the same from here: a deadline
has passed. Whatever it was, the task is dispatched again, and the claim decides whether it runs. A task that
is cancelled and has no worker is due at once, and the sweepers are rung. Redis gives each overdue task to one
of them: the others pay one command for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import Any

from events import scripts
from events.append import Appender
from events.connect import AWAY, OutOfMemoryError
from events.errors import Fenced, Held, Moved, Sealed, TaskNotFound
from events.log import EventLog
from events.logfields import about, also
from events.model import Status, now_ms
from events.queue import Dispatcher
from events.sealing import CANCELLED, seal
from events.state import TaskState
from events.tasks import SUBMIT_DEADLINE_MS, TaskStore
from events.tracing import trace_id
from worker import metrics

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""How often deadlines are looked at, if none comes sooner."""

APART_SECONDS = (0.02, 0.2)
"""How long after a deadline a sweeper comes: at random, so that of several one is the first."""

TAKEN_TASKS = 16
"""What a sweeper takes at a time: what it has done long before others may take it again."""

DISPATCHED_MS = 1_500
"""When a task that was dispatched again is looked at next: who takes it may be killed as well."""

QUEUED_MS = 30_000
"""When a task that waits in the queue is; who takes it says so. Ten thousand may wait there."""


class Sweeper:
    """One per worker; that several sweep the same task does no harm.

    Args:
        tasks: all tasks.
        appender: what it ends cancelled tasks with.
        dispatcher: what it has others run tasks with.
        name: of its worker, for people.
    """

    def __init__(self, tasks: TaskStore, appender: Appender, dispatcher: Dispatcher, name: str) -> None:
        self._tasks = tasks
        self._log: EventLog = tasks.log
        self._appender = appender
        self._dispatcher = dispatcher
        self._name = name
        self._take_overdue: Any = tasks.log.redis.register_script(scripts.TAKE_OVERDUE)
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Look now: some task is due."""
        self._rung.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                pause = await self._sweep()
            except AWAY as error:
                metrics.NOT_SWEPT.inc()
                log.warning("sweeping pauses: %s", error)
                pause = SWEEP_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, SWEEP_SECONDS) + random.uniform(*APART_SECONDS)):
                    await self._rung.wait()
            self._rung.clear()

    async def _sweep(self) -> float:
        """Look after what is overdue. Gives the seconds until the next deadline."""
        while True:
            now = now_ms()
            keys, args = [self._log.keys.deadlines], [now, now + DISPATCHED_MS, TAKEN_TASKS]
            *overdue, first = await self._take_overdue(keys=keys, args=args)
            metrics.SWEPT.inc()
            for task_id in overdue:
                with about(task=task_id.decode()):
                    metrics.swept(await self.look_after(task_id.decode()))
            if not overdue:
                return (float(first) - now) / 1000 if first else SWEEP_SECONDS

    async def look_after(self, task_id: str) -> str:
        """Find out what an overdue task needs, and see to it. Gives in a word what it was found to be."""
        await self._tasks.expect(task_id, DISPATCHED_MS)  # so that others leave it alone meanwhile
        try:
            state = await self._tasks.get(task_id)
        except TaskNotFound:
            await self._tasks.forget(task_id)
            return "absent"
        if state.last.terminal:
            await self._tasks.settle(task_id)
            return "ended"
        if state.status is Status.WAITING:
            await self._tasks.let_wait(task_id)
            return "waiting"
        if state.cancel_requested:
            await self._cancel(state)
            return "cancelled"
        if await self._log.is_held(task_id):
            await self._tasks.expect(task_id, SUBMIT_DEADLINE_MS)  # its renewals say more
            return "held"
        if await self._is_queued(state):
            await self._tasks.expect(task_id, QUEUED_MS)
            return "queued"
        await self._dispatch(state)
        return "dispatched"

    async def _cancel(self, state: TaskState) -> None:
        """End a task whose worker died before it heard of its cancellation; a living one does so itself."""
        with contextlib.suppress(Held, Moved, Fenced, Sealed):
            await seal(
                self._tasks,
                self._appender,
                state.task_id,
                CANCELLED,
                worker=self._name,
                record=state.record,
            )

    async def _dispatch(self, state: TaskState) -> None:
        also(trace_id=trace_id(state.record))
        log.info("task %s is overdue and is dispatched again", state.task_id)
        try:
            await self._dispatcher.dispatch(state.task_id, state.record["pool"])
        except OutOfMemoryError as error:  # others may be cancelled, and need no memory
            log.warning("task %s can't be dispatched now: %s", state.task_id, error)

    async def _is_queued(self, state: TaskState) -> bool:
        number = int(state.record.get("dispatches", 0))
        return await self._dispatcher.is_queued(state.task_id, number, state.record["pool"])
