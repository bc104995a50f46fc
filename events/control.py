"""TaskControl: what people want of a task that is under way: that it ends, or goes on with their answer.

The wish is written to Redis first and then told to whom it may concern, so it holds even if that worker is
just being killed. Whoever wants it claims nothing: ending a task that nobody runs is a worker's work too.
"""

from __future__ import annotations

import contextlib
from typing import Any

from events import scripts
from events.codec import to_json
from events.connect import AWAY
from events.errors import AlreadyEnded, NotWaiting, TaskNotFound
from events.model import JSON, now_ms, timestamp
from events.queue import Dispatcher
from events.state import TaskState
from events.tasks import SUBMIT_DEADLINE_MS, TaskStore

AT_ONCE_MS = -60_000
"""A deadline that has passed by every worker's clock."""


class TaskControl:
    """Cancels and answers tasks, from any process."""

    def __init__(self, tasks: TaskStore, dispatcher: Dispatcher) -> None:
        self._tasks = tasks
        self._log = tasks.log
        self._dispatcher = dispatcher
        self._cancel: Any = tasks.log.redis.register_script(scripts.CANCEL)
        self._answer: Any = tasks.log.redis.register_script(scripts.ANSWER)

    async def cancel(self, task_id: str) -> None:
        """Have a task end as soon as can be: its worker is told, or if it has none, all of them are.

        Raises:
            AlreadyEnded: it has ended by itself.
            TaskNotFound: there is no such task.
        """
        redis, keys = self._log.redis, self._log.keys
        wish = await self._cancel(keys=[keys.log(task_id), keys.task(task_id)], args=[timestamp(now_ms())])
        if wish < 0:
            raise TaskNotFound
        if not wish:
            raise AlreadyEnded(AlreadyEnded.__doc__)
        if await self._log.is_held(task_id):
            await self._tasks.expect(task_id, SUBMIT_DEADLINE_MS)
            bell = keys.control(task_id), "cancel"
        else:  # whoever claims it just now looks for wishes as it begins
            await self._tasks.expect(task_id, AT_ONCE_MS)
            bell = keys.sweep, task_id
        with contextlib.suppress(*AWAY):  # the wish holds; renewals and sweeps tell of it too, a little later
            await redis.publish(*bell)

    async def answer(self, state: TaskState, interrupt_id: str | None, value: JSON) -> None:
        """Give a waiting task its answer and have it go on. Of several answers one is taken.

        Args:
            state: of the task.
            interrupt_id: which question it answers; None if there is but one.
            value: what `interrupt()` returns in the graph.

        Raises:
            NotWaiting: it doesn't wait, or was answered before, or asks something else by now.
            TaskNotFound: its log has expired meanwhile.
        """
        question = interrupt_id or next(iter(state.questions), None)
        while not await self._put_answer(state, question, value):
            state = await self._tasks.get(state.task_id)
        await self._tasks.expect(state.task_id, SUBMIT_DEADLINE_MS)
        await self._dispatcher.dispatch(state.task_id, state.record["pool"])

    async def _put_answer(self, state: TaskState, question: str | None, value: JSON) -> bool:
        """False if other questions are open by now; this one may still be among them."""
        if question not in state.questions:
            raise NotWaiting(NotWaiting.__doc__)
        keys = [self._log.keys.log(state.task_id), self._log.keys.task(state.task_id)]
        answer = to_json({"interrupt_id": question, "value": value})
        taken = await self._answer(keys=keys, args=[answer, str(state.last.id)])
        if not taken:
            raise NotWaiting(NotWaiting.__doc__)
        return taken > 0
