"""TaskControl: what people want of a task that is under way: that it ends, or goes on with their answer.

The wish is written to Redis first and then told to whom it may concern, so it holds even if that worker is
just being killed.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast
from uuid import uuid4

from events import scripts
from events.append import Appender
from events.codec import to_json
from events.errors import AlreadyEnded, Fenced, Held, Moved, NotWaiting, Sealed
from events.model import JSON, Event, EventType, now_ms, timestamp
from events.queue import Dispatcher
from events.tasks import SUBMIT_DEADLINE_MS, TaskState, TaskStore

SEALING_LEASE_MS = 5_000


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
            await self._seal(task_id)
        except (Held, Moved, Fenced):
            await redis.publish(keys.control(task_id), "cancel")
        except Sealed:
            raise AlreadyEnded(AlreadyEnded.__doc__) from None

    async def answer(self, state: TaskState, interrupt_id: str | None, value: JSON) -> None:
        """Give a waiting task its answer and have it go on. Of several answers one is taken.

        Args:
            state: of the task.
            interrupt_id: which question it answers, if there are several.
            value: what `interrupt()` returns in the graph.

        Raises:
            NotWaiting: it doesn't wait, or was answered before.
        """
        keys = [self._log.keys.log(state.task_id), self._log.keys.task(state.task_id)]
        answer = to_json({"interrupt_id": interrupt_id, "value": value})
        if not await self._answer(keys=keys, args=[answer]):
            raise NotWaiting(NotWaiting.__doc__)
        await self._tasks.expect(state.task_id, SUBMIT_DEADLINE_MS)
        await self._dispatcher.dispatch(state.task_id, state.record["pool"])

    async def _seal(self, task_id: str) -> None:
        """Claim a task that nobody has and end it. There is one way to write: as the newest attempt."""
        owner = f"cancel:{uuid4().hex}"
        claim = await self._log.claim(task_id, owner, worker="cancel", lease_ms=SEALING_LEASE_MS)
        writer = self._appender.writer(claim)
        await writer.append(Event(EventType.TASK_CANCEL_REQUESTED))
        await writer.append(Event(EventType.TASK_CANCELLED))
        await writer.flush()
        await self._tasks.settle(task_id)
        await self._log.release(claim)
