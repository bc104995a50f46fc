"""Runner: one dispatch from claim to the end of the attempt. Whatever happens, the log tells it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from events.append import Appender, AttemptWriter
from events.bells import Bells
from events.connect import AWAY
from events.errors import Fenced, Held, Moved, NotStorable, QuotaExceeded, Sealed, TaskNotFound, Waiting
from events.graphs import GraphDirectory
from events.log import Claim, EventLog
from events.model import START, TERMINAL, Event, EventType
from events.queue import Dispatcher
from events.tasks import TaskState, TaskStore
from worker.attempt import Attempt, Beginning, failed
from worker.execution import Execution, Stop
from worker.graphs import Graph
from worker.lease import LeaseKeeper
from worker.lookback import Lookback

log = logging.getLogger(__name__)

UNSERVED_MS = 60_000
"""How long until a task whose graph this worker lacks is offered again."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs tasks on this worker.

    Attributes:
        name: of this worker, for people.
        graphs: what it serves.
        log, tasks, appender, leases, dispatcher, directory, bells: the parts it works with.
        max_attempts: so many attempts in a row may finish no node before the task is given up as poison.
        running: the executions under way, by task.
    """

    name: str
    graphs: Mapping[str, Graph]
    log: EventLog
    tasks: TaskStore
    appender: Appender
    leases: LeaseKeeper
    dispatcher: Dispatcher
    directory: GraphDirectory
    bells: Bells
    max_attempts: int
    running: dict[str, Execution] = field(default_factory=dict[str, Execution])

    async def run_task(self, task_id: str) -> None:
        """Take a dispatch: claim the task and run it, if it is to be run at all."""
        try:
            state = await self.tasks.get(task_id)
            graph = self.graphs.get(state.record["graph"])
            if graph is None:
                log.error("task %s wants graph %r, which is not here", task_id, state.record["graph"])
                await self.tasks.expect(task_id, UNSERVED_MS)
                return
            await self._claim_and_run(state, Attempt(graph, task_id, state.record["thread_id"]))
        except Sealed:
            await self.tasks.settle(task_id)
        except (Held, Waiting, TaskNotFound):
            pass  # another worker has it, a person has to answer first, or its log has expired
        except Fenced:
            log.warning("task %s was taken over while this worker had it", task_id)
        except AWAY as error:
            log.warning("task %s is left to the sweeper: %s", task_id, error)

    def drain(self) -> None:
        """Stop all attempts; each is handed back for another worker to go on with."""
        for execution in self.running.values():
            execution.stop(Stop.DRAIN)

    def heard(self, channel: str) -> None:
        """Somebody may want something of a task that runs here; what it is stands in its record."""
        execution = self.running.get(self.log.keys.task_of_bell(channel))
        if execution is not None:
            execution.look(self._look_at_wishes(execution))

    async def _look_at_wishes(self, execution: Execution) -> None:
        with contextlib.suppress(TaskNotFound, *AWAY):  # a reconnect rings again
            if (await self.tasks.get(execution.claim.task_id)).cancel_requested:
                execution.stop(Stop.CANCEL)

    async def _claim_and_run(self, state: TaskState, attempt: Attempt) -> None:
        while True:
            lookback = await self._look_back(state)
            beginning = await attempt.begin(state)
            try:
                claim = await self._claim(state, beginning, lookback)
                break
            except Moved:
                state = await self.tasks.get(state.task_id)
        execution = Execution(claim, self.appender.writer(claim, lookback.size))
        self.leases.keep(claim, lambda: execution.stop(Stop.LOST))
        self.running[claim.task_id] = execution
        # A wish may have come before the claim: the bell rings once when it begins to be heard.
        self.bells.listen(self.log.keys.control(claim.task_id))
        try:
            await self._run(execution, attempt, beginning, lookback)
        finally:
            del self.running[claim.task_id]
            self.bells.ignore(self.log.keys.control(claim.task_id))
            await self.leases.release(claim)

    async def _look_back(self, state: TaskState) -> Lookback:
        lookback, position = Lookback(), START
        while entries := await self.log.read(state.task_id, position):
            lookback.read(entries)
            position = entries[-1].id
        return lookback

    async def _claim(self, state: TaskState, beginning: Beginning, lookback: Lookback) -> Claim:
        supersedes = lookback.supersedes(from_scratch=beginning.checkpoint_id is None)
        return await self.log.claim(
            state.task_id,
            f"{self.name}:{uuid4().hex}",
            worker=self.name,
            lease_ms=self.leases.lease_ms,
            started={"resumed_from": beginning.checkpoint_id, "supersedes": supersedes},
            after=state.last.id,
        )

    async def _run(
        self, execution: Execution, attempt: Attempt, beginning: Beginning, lookback: Lookback
    ) -> None:
        writer = execution.writer
        if lookback.fruitless >= self.max_attempts:
            message = f"{lookback.fruitless} attempts in a row finished no node"
            return await self._end(writer, failed("poison", message))
        event = await execution.run(attempt.run(beginning, writer))
        if event is not None:
            return await self._end(writer, event)
        match execution.stopped:
            case Stop.CANCEL:
                await writer.append(Event(EventType.TASK_CANCEL_REQUESTED))
                await self._end(writer, Event(EventType.TASK_CANCELLED))
            case Stop.DRAIN:
                await self._hand_back(writer)
            case _:
                log.warning("the lease of task %s was lost", writer.claim.task_id)
        return None

    async def _end(self, writer: AttemptWriter, event: Event) -> None:
        try:
            await writer.append(event)
        except NotStorable as error:
            event = failed("bad_output", f"the result cannot be stored: {error.reason}")
            await writer.append(event)
        except QuotaExceeded as error:
            event = failed("quota_exceeded", str(error))
            await writer.append(event)
        await writer.flush()
        task_id = writer.claim.task_id
        if event.type in TERMINAL:
            await self.tasks.settle(task_id)
        elif event.type is EventType.TASK_INTERRUPTED:
            await self.tasks.unexpect(task_id)

    async def _hand_back(self, writer: AttemptWriter) -> None:
        """Let another worker go on at once: what was written is written, and the lease is free."""
        await writer.flush()
        await self.leases.release(writer.claim)
        task_id = writer.claim.task_id
        state = await self.tasks.get(task_id)
        await self.tasks.expect(task_id, 1000)
        await self.dispatcher.dispatch(task_id, state.record["pool"])
