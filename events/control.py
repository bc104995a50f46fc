"""TaskControl: what people want of a task that is under way: that it ends, or goes on with their answer.

The wish is written to Redis first and then told to whom it may concern, so it holds even if that worker is
just being killed.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from events import scripts
from events.append import Appender
from events.codec import to_json
from events.errors import AlreadyEnded, Fenced, Held, Moved, NotWaiting, Sealed
from events.model import JSON, EventType, now_ms, timestamp
from events.queue import Dispatcher
from events.sealing import CANCELLED, seal
from events.tasks import SUBMIT_DEADLINE_MS, TaskState, TaskStore


class TaskControl:
    """Cancels and answers tasks, from any process."""

    def __init__(self, tasks: TaskStore, appender: Appender, dispatcher: Dispatcher) -> None:
        self._tasks = tasks
        self._log = tasks.log
        self._appender = appender
        self._dispatcher = dispatcher
        self._answer = tasks.log.redis.register_script(scripts.ANSWER)

    async def cancel(self, task_id: str) -> None:
        """Have a task end as soon as can be. One that nobody runs is sealed at once and never run.

        Raises:
            AlreadyEnded: it has ended by itself.
            TaskNotFound: there is no such task.
        """
        state = await self._tasks.get(task_id)
        if state.last.terminal:
            raise AlreadyEnded(AlreadyEnded.__doc__)
        redis, keys = self._log.redis, self._log.keys
        wish = redis.hsetnx(keys.task(task_id), "cancel_requested_at", timestamp(now_ms()))
        await cast("Awaitable[int]", wish)
        await self._tasks.expect(task_id, SUBMIT_DEADLINE_MS)
        try:
            await seal(self._tasks, self._appender, task_id, CANCELLED, worker="cancel")
        except (Held, Moved, Fenced):
            await redis.publish(keys.control(task_id), "cancel")
        except Sealed:
            await self._tasks.settle(task_id)  # the deadline that was set above is needed no more
            raise AlreadyEnded(AlreadyEnded.__doc__) from None

    async def answer(self, state: TaskState, interrupt_id: str | None, value: JSON) -> None:
        """Give a waiting task its answer and have it go on. Of several answers one is taken.

        Args:
            state: of the task.
            interrupt_id: which question it answers; None if there is but one.
            value: what `interrupt()` returns in the graph.

        Raises:
            NotWaiting: it doesn't wait, or was answered before.
        """
        if state.last.type is not EventType.TASK_INTERRUPTED:
            raise NotWaiting(NotWaiting.__doc__)
        keys = [self._log.keys.log(state.task_id), self._log.keys.task(state.task_id)]
        question = interrupt_id or state.last.event["data"]["interrupts"][0]["id"]
        answer = to_json({"interrupt_id": question, "value": value})
        if not await self._answer(keys=keys, args=[answer]):
            raise NotWaiting(NotWaiting.__doc__)
        await self._tasks.expect(state.task_id, SUBMIT_DEADLINE_MS)
        await self._dispatcher.dispatch(state.task_id, state.record["pool"])
