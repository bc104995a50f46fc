"""Runner: one dispatch from claim to the end of the attempt. Whatever happens, the log tells it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from events.append import Appender
from events.attempt_spans import attempting
from events.bells import Bells
from events.connect import AWAY, patiently
from events.errors import Fenced, Held, Moved, Sealed, TaskNotFound, Waiting
from events.graphs import GraphDirectory
from events.log import Claim, EventLog
from events.logfields import about, also
from events.model import START, Status, now_ms, parse_timestamp
from events.sealing import CANCELLED, seal
from events.state import TaskState
from events.tasks import TaskStore
from events.tracing import told, trace_id
from worker import metrics
from worker.attempt import Attempt, Beginning
from worker.ending import Ending, fruitless_allowed, was_handed_back
from worker.execution import Execution, Stop
from worker.failures import failed, timed_out
from worker.graphs import Graph
from worker.lease import LeaseKeeper
from worker.lookback import Lookback

log = logging.getLogger(__name__)

TAKEN_MS = 2_000
"""A dispatch that was taken is claimed soon after, or whoever took it has been killed."""

UNSERVED_MS = 60_000
"""How long until a task whose graph this worker lacks is offered again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a task, and each part of its end, may take.

    Attributes:
        max_attempts: so many attempts in a row may finish no node before the task is given up as poison.
        task_timeout_seconds: how long a task may run.
        stop_seconds: how long a node may ignore its cancellation.
    """

    max_attempts: int
    task_timeout_seconds: float
    stop_seconds: float


@dataclass(slots=True)
class Runner:
    """Runs tasks on this worker.

    Attributes:
        name: of this worker, for people.
        graphs: what it serves.
        log, tasks, appender, leases, ending, directory, bells: the parts it works with.
        limits: how long things may take.
        running: the executions under way, by task.
        draining: whether this worker goes, and begins nothing more.
    """

    name: str
    graphs: Mapping[str, Graph]
    log: EventLog
    tasks: TaskStore
    appender: Appender
    leases: LeaseKeeper
    ending: Ending
    directory: GraphDirectory
    bells: Bells
    limits: Limits
    running: dict[str, Execution] = field(default_factory=dict[str, Execution])
    draining: bool = False

    async def run_task(self, task_id: str) -> None:
        """Take a dispatch: claim the task and run it, if it is to be run at all."""
        with about(task=task_id):
            await self._take(task_id)

    async def _take(self, task_id: str) -> None:
        try:
            await self.tasks.expect(task_id, TAKEN_MS)
            state = await self.tasks.get(task_id)
            also(trace_id=trace_id(state.record))
            graph = self.graphs.get(state.record["graph"])
            if state.cancel_requested and not state.last.terminal:
                await seal(
                    self.tasks, self.appender, task_id, CANCELLED, worker=self.name, record=state.record
                )
            elif graph is None:
                log.error("task %s wants graph %r, which is not here", task_id, state.record["graph"])
                await self.tasks.expect(task_id, UNSERVED_MS)
            else:
                await self._claim_and_run(state, Attempt(graph, task_id, state.thread))
        except Sealed:
            await self.tasks.settle(task_id)
        except Held as error:
            await self._look_again(task_id, error.remaining_ms)
        except (Waiting, TaskNotFound):
            pass  # a person has to answer first, or its log has expired
        except Fenced:
            log.warning("task %s was taken over while this worker had it", task_id)
        except AWAY as error:
            log.warning("task %s is left to the sweeper: %s", task_id, error)
            # The server that is away may be the one with the deadlines, and come back without this one.
            await patiently(lambda: self.tasks.remind(task_id, TAKEN_MS))

    def drain(self, seconds: float) -> None:
        """Have all attempts end with their superstep, or after so many seconds; each is then handed back."""
        self.draining = True
        for execution in self.running.values():
            execution.drain(seconds)

    def heard(self, channel: str) -> None:
        """Somebody may want something of a task that runs here; what it is stands in its record."""
        execution = self.running.get(self.log.keys.task_of_bell(channel))
        if execution is not None:
            execution.look(self._look_at_wishes(execution))

    async def _look_at_wishes(self, execution: Execution) -> None:
        with contextlib.suppress(TaskNotFound, *AWAY):  # the next renewal of the lease tells it too
            if (await self.tasks.get(execution.claim.task_id)).cancel_requested:
                execution.stop(Stop.CANCEL)

    async def _look_again(self, task_id: str, within_ms: int) -> None:
        """Another worker has it, or Redis has just restarted; a sweeper looks whether it goes on."""
        with contextlib.suppress(*AWAY):
            await self.tasks.expect(task_id, within_ms)

    async def _claim_and_run(self, state: TaskState, attempt: Attempt) -> None:
        while True:
            if state.status is Status.WAITING:  # should its answer come right now, that has its own dispatch
                return
            lookback = await self._look_back(state)
            beginning = await attempt.begin(state, lookback)
            if self.draining:  # asked late: a second dispatch may have waited as the task was handed back
                await self.ending.dispatcher.dispatch(state.task_id, state.record["pool"])
                return
            try:
                claim = await self._claim(state, beginning, lookback)
                break
            except Moved:
                state = await self.tasks.get(state.task_id)
        async with attempting(self.log, claim, state.last):
            await self._run_claimed(claim, state, attempt, beginning, lookback)

    async def _run_claimed(
        self, claim: Claim, state: TaskState, attempt: Attempt, beginning: Beginning, lookback: Lookback
    ) -> None:
        await self.tasks.expect(claim.task_id, self.leases.lease_ms)  # until its first renewal
        execution = self._execution(claim, lookback, beginning)
        self.running[claim.task_id] = execution
        # A wish may have come before the claim: the bell rings once when it begins to be heard.
        self.bells.listen(self.log.keys.control(claim.task_id))
        try:
            with metrics.running(state, claim, handed_back=was_handed_back(claim, state.last.id)):
                if lookback.fruitless >= fruitless_allowed(claim, self.limits.max_attempts):
                    message = f"{lookback.fruitless} attempts in a row finished no node"
                    await self.ending.end(execution.writer, failed("poison", message))
                else:
                    await self._run(execution, attempt, beginning)
            if execution.writer.sealed:
                await attempt.tidy()
        finally:
            self._forget(execution)
            await self.leases.release(claim)

    async def _look_back(self, state: TaskState) -> Lookback:
        lookback, position = Lookback(), START
        while entries := await self.log.read(state.task_id, position):
            lookback.read(entries)
            position = entries[-1].id
        return lookback

    async def _claim(self, state: TaskState, beginning: Beginning, lookback: Lookback) -> Claim:
        supersedes = lookback.supersedes(beginning.stored, from_scratch=beginning.checkpoint_id is None)
        return await self.log.claim(
            state.task_id,
            f"{self.name}:{uuid4().hex}",
            worker=self.name,
            lease_ms=self.leases.lease_ms,
            started={"resumed_from": beginning.checkpoint_id, "supersedes": supersedes, **told(state.record)},
            after=state.last.id,
        )

    def _execution(self, claim: Claim, lookback: Lookback, beginning: Beginning) -> Execution:
        """What may end the attempt before its graph does is set up here; it may be at once."""
        execution = Execution(claim, self.appender.writer(claim, lookback.size), self.limits.stop_seconds)
        ran = (now_ms() - parse_timestamp(claim.running_since)) / 1000
        left = self.limits.task_timeout_seconds - ran
        self.leases.keep(claim, execution.stop, left)
        if self.draining:
            execution.stop(Stop.DRAIN)
        elif left > 0:
            execution.stop_in(left, Stop.TIMEOUT)
        elif not beginning.done:
            execution.stop(Stop.TIMEOUT)
        return execution

    def _forget(self, execution: Execution) -> None:
        """A later attempt on this worker at the same task stays."""
        task_id = execution.claim.task_id
        if self.running.get(task_id) is execution:
            del self.running[task_id]
            self.bells.ignore(self.log.keys.control(task_id))

    async def _run(self, execution: Execution, attempt: Attempt, beginning: Beginning) -> None:
        writer = execution.writer
        if execution.stopped is None:
            event = await execution.run(attempt.run(beginning, writer, execution.control))
            if event is not None:
                return await self.ending.end(writer, event)
        match execution.stopped:
            case Stop.CANCEL:
                await self.ending.end(writer, *CANCELLED)
            case Stop.TIMEOUT:
                await self.ending.end(writer, timed_out(self.limits.task_timeout_seconds))
            case Stop.DRAIN:
                await self.ending.hand_back(writer)
            case _:
                metrics.attempt_left(writer.claim, "lost")
                log.warning("the lease of task %s was lost", writer.claim.task_id)
        return None
