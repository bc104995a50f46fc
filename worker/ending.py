"""How attempts end: by a last event, or handed back for another worker to go on with."""

from __future__ import annotations

from dataclasses import dataclass

from events.attempt_spans import attempt_ended
from events.errors import NotStorable, QuotaExceeded
from events.log import Claim
from events.model import Event, EventId, EventType, Status
from events.queue import Dispatcher
from events.tasks import TaskStore
from events.writer import AttemptWriter
from worker import metrics
from worker.failures import failed
from worker.lease import LeaseKeeper

HANDED_BACK = "handed_back"
"""Field of a task's record: how many of its attempts were handed back."""

HANDED_BACK_AT = "handed_back_at"
"""Field of a task's record: the last entry's id of the latest of them."""

REDISPATCH_MS = 1_000
"""A task that was handed back is looked at by a sweeper when its dispatch was lost."""


def fruitless_allowed(claim: Claim, max_attempts: int) -> int:
    """How many attempts in a row may finish no node: that a worker went is no fault of the task's."""
    return max_attempts + int(claim.fields.get(HANDED_BACK, 0))


def was_handed_back(claim: Claim, before: EventId) -> bool:
    """Whether the attempt before, whose last entry that is, was handed back."""
    return claim.fields.get(HANDED_BACK_AT) == str(before)


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
        *_, last = [await _append(writer, event) for event in events]
        await writer.flush()
        await attempt_ended(self.tasks.log, writer.claim, last)
        metrics.attempt_ended(writer.claim, last)
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
        await attempt_ended(log, writer.claim, None)
        pipe = log.redis.pipeline(transaction=True)
        pipe.hincrby(log.keys.task(task_id), HANDED_BACK, 1)
        pipe.hset(log.keys.task(task_id), HANDED_BACK_AT, str(writer.last))
        await pipe.execute()
        await self.leases.release(writer.claim)
        state = await self.tasks.get(task_id)
        await self.tasks.expect(task_id, REDISPATCH_MS)
        await self.dispatcher.dispatch(task_id, state.record["pool"])
        metrics.attempt_left(writer.claim, "handed_back")


async def _append(writer: AttemptWriter, event: Event) -> Event:
    """Append an event, or the failure that comes in its place; gives what was appended."""
    try:
        await writer.append(event)
        return event
    except NotStorable as error:
        what = "question" if event.type is EventType.TASK_INTERRUPTED else "result"
        instead = failed("bad_output", f"the {what} cannot be stored: {error.reason}")
    except QuotaExceeded as error:
        instead = failed("quota_exceeded", str(error))
    await writer.append(instead)
    return instead
