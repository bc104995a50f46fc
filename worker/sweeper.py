"""Sweeper: looks after tasks that nobody has been heard of in time.

A lost enqueue, a killed worker, a wiped queue and a restarted Redis all look the same from here: a deadline
has passed. Whatever it was, the task is dispatched again, and the claim decides whether it runs.
"""

from __future__ import annotations

import asyncio
import logging

from events.connect import AWAY
from events.errors import TaskNotFound
from events.log import EventLog
from events.model import Status
from events.queue import Dispatcher
from events.tasks import SUBMIT_DEADLINE_MS, TaskState, TaskStore

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0


class Sweeper:
    """One per worker; that several sweep the same task does no harm."""

    def __init__(self, tasks: TaskStore, dispatcher: Dispatcher) -> None:
        self._tasks = tasks
        self._log: EventLog = tasks.log
        self._dispatcher = dispatcher

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                for task_id in await self._tasks.overdue():
                    await self.look_after(task_id)
            except AWAY as error:
                log.warning("sweeping pauses: %s", error)

    async def look_after(self, task_id: str) -> None:
        """Find out what an overdue task needs, and see to it."""
        await self._tasks.expect(task_id, SUBMIT_DEADLINE_MS)  # so that others leave it alone meanwhile
        try:
            state = await self._tasks.get(task_id)
        except TaskNotFound:
            await self._tasks.forget(task_id)
            return
        if state.last.terminal:
            await self._tasks.settle(task_id)
        elif state.status is Status.WAITING:
            await self._tasks.unexpect(task_id)
        elif not await self._is_in_hand(state):
            log.info("task %s is overdue and is dispatched again", task_id)
            await self._dispatcher.dispatch(task_id, state.record["pool"])

    async def _is_in_hand(self, state: TaskState) -> bool:
        if await self._log.is_held(state.task_id):
            return True
        number = int(state.record.get("dispatches", 0))
        return await self._dispatcher.is_queued(state.task_id, number, state.record["pool"])
