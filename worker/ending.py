"""How attempts end: by a last event, or handed back for another worker to go on with."""

from __future__ import annotations

from dataclasses import dataclass

from events.codec import document
from events.errors import NotStorable, QuotaExceeded
from events.log import Claim
from events.model import Event, EventType, Status, now_ms
from events.queue import Dispatcher
from events.tasks import TaskState, TaskStore
from events.writer import AttemptWriter
from worker.failures import failed
from worker.lease import LeaseKeeper

HANDED_BACK = "handed_back"
"""Field of a task's record: how many of its attempts were handed back."""

REDISPATCH_MS = 1_000
"""A task that was handed back is looked at by a sweeper when its dispatch was lost."""


def fruitless_allowed(state: TaskState, max_attempts: int) -> int:
    """How many attempts in a row may finish no node: that a worker went is no fault of the task's."""
    return max_attempts + int(state.record.get(HANDED_BACK, 0))


@dataclass(frozen=True, slots=True)
class Ending:
    """Ends attempts of this worker's."""

    tasks: TaskStore
    leases: LeaseKeeper
    dispatcher: Dispatcher

    async def end(self, writer: AttemptWriter, *events: Event) -> None:
        """Append an attempt's last events, and put in order what lies beside the log.

        Raises:
            Fenced: a newer attempt has opened.
        """
        for event in events:
            await _append(writer, event)
        await writer.flush()
        if writer.sealed:
            await self.tasks.settle(writer.claim.task_id)
        else:
            await self._let_wait(writer.claim)

    async def _let_wait(self, claim: Claim) -> None:
        """An answer, or a cancellation, that has come already found the lease held and came to nothing."""
        await self.tasks.let_wait(claim.task_id)
        await self.leases.release(claim)
        state = await self.tasks.get(claim.task_id)
        if state.status in (Status.QUEUED, Status.CANCELLING):
            await self.dispatcher.dispatch(claim.task_id, state.record["pool"])

    async def hand_back(self, writer: AttemptWriter) -> None:
        """Let another worker go on at once: what was written is written, and the lease is free.

        Raises:
            Fenced: a newer attempt has opened.
        """
        await writer.flush()
        task_id, log = writer.claim.task_id, self.tasks.log
        await log.redis.hincrby(log.keys.task(task_id), HANDED_BACK, 1)  # pyright: ignore[reportGeneralTypeIssues]
        await self.leases.release(writer.claim)
        state = await self.tasks.get(task_id)
        await self.tasks.expect(task_id, REDISPATCH_MS)
        await self.dispatcher.dispatch(task_id, state.record["pool"])


async def _append(writer: AttemptWriter, event: Event) -> None:
    try:
        if event.type is EventType.TASK_INTERRUPTED:
            document(
                event, writer.last, now_ms()
            )  # a dropped question would leave a task that nobody can answer
        await writer.append(event)
    except NotStorable as error:
        what = "question" if event.type is EventType.TASK_INTERRUPTED else "result"
        await writer.append(failed("bad_output", f"the {what} cannot be stored: {error.reason}"))
    except QuotaExceeded as error:
        await writer.append(failed("quota_exceeded", str(error)))
