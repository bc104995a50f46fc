"""Sweeper: looks after tasks that nobody has been heard of in time.

A lost enqueue, a killed worker, a wiped queue and a restarted Redis all look the same from here: a deadline
has passed. Whatever it was, the task is dispatched again, and the claim decides whether it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from events.append import Appender
from events.connect import AWAY
from events.errors import Fenced, Held, Moved, Sealed, TaskNotFound
from events.log import EventLog
from events.model import Status
from events.queue import Dispatcher
from events.sealing import CANCELLED, seal
from events.tasks import SUBMIT_DEADLINE_MS, TaskState, TaskStore

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
"""How often deadlines are looked at, if none comes sooner."""

APART_SECONDS = (0.02, 0.2)
"""How long after a deadline a sweeper comes: at random, so that of several one is the first."""

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

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                pause = await self._sweep()
            except AWAY as error:
                log.warning("sweeping pauses: %s", error)
                pause = SWEEP_SECONDS
            await asyncio.sleep(min(pause, SWEEP_SECONDS) + random.uniform(*APART_SECONDS))

    async def _sweep(self) -> float:
        """Look after what is overdue. Gives the seconds until the next deadline, as far as it has looked."""
        first = await self._tasks.deadlines()
        for task_id, left in first:
            if left > 0:
                return left
            await self.look_after(task_id)
        return 0.0 if first else SWEEP_SECONDS

    async def look_after(self, task_id: str) -> None:
        """Find out what an overdue task needs, and see to it."""
        await self._tasks.expect(task_id, DISPATCHED_MS)  # so that others leave it alone meanwhile
        try:
            state = await self._tasks.get(task_id)
        except TaskNotFound:
            await self._tasks.forget(task_id)
            return
        if state.last.terminal:
            await self._tasks.settle(task_id)
        elif state.status is Status.WAITING:
            await self._tasks.let_wait(task_id)
        elif state.cancel_requested:
            await self._cancel(state)
        elif await self._log.is_held(task_id):
            await self._tasks.expect(task_id, SUBMIT_DEADLINE_MS)  # its renewals say more
        elif await self._is_queued(state):
            await self._tasks.expect(task_id, QUEUED_MS)
        else:
            log.info("task %s is overdue and is dispatched again", task_id)
            await self._dispatcher.dispatch(task_id, state.record["pool"])

    async def _cancel(self, state: TaskState) -> None:
        """End a task whose worker died before it heard of its cancellation; a living one does so itself."""
        with contextlib.suppress(Held, Moved, Fenced, Sealed):
            await seal(self._tasks, self._appender, state.task_id, CANCELLED, worker=self._name)

    async def _is_queued(self, state: TaskState) -> bool:
        number = int(state.record.get("dispatches", 0))
        return await self._dispatcher.is_queued(state.task_id, number, state.record["pool"])
