"""Runner: one dispatch from claim to the end of the attempt. Whatever happens, the log tells it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from events.append import Appender, AttemptWriter
from events.errors import Fenced, Held, Moved, NotStorable, QuotaExceeded, Sealed, TaskNotFound, Waiting
from events.graphs import GraphDirectory
from events.log import Claim, EventLog
from events.model import START, TERMINAL, Event, EventType
from events.queue import Dispatcher
from events.tasks import TaskState, TaskStore
from worker.attempt import Attempt, Beginning, failed
from worker.graphs import Graph
from worker.lease import LeaseKeeper
from worker.lookback import Lookback

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs tasks on this worker.

    Attributes:
        name: of this worker, for people.
        graphs: what it serves.
        log, tasks, appender, leases, dispatcher, directory: the parts it works with.
        max_attempts: so many attempts in a row may finish no node before the task is given up as poison.
        running: the attempts under way, by task.
    """

    name: str
    graphs: Mapping[str, Graph]
    log: EventLog
    tasks: TaskStore
    appender: Appender
    leases: LeaseKeeper
    dispatcher: Dispatcher
    max_attempts: int
    directory: GraphDirectory
    running: dict[str, asyncio.Task[Event]]

    async def run_task(self, task_id: str) -> None:
        """Take a dispatch: claim the task and run it, if it is to be run at all."""
        try:
            state = await self.tasks.get(task_id)
            graph = self.graphs.get(state.record["graph"])
            if graph is None:
                log.error("task %s wants graph %r, which is not here", task_id, state.record["graph"])
                return
            await self._claim_and_run(state, Attempt(graph, task_id, state.record["thread_id"]))
        except Sealed:
            await self.tasks.settle(task_id, (await self.log.last(task_id))[0])
        except (Held, Waiting, TaskNotFound):
            pass  # another worker has it, a person has to answer first, or its log has expired
        except Fenced:
            log.warning("task %s was taken over while this worker had it", task_id)

    async def drain(self) -> None:
        """Stop all attempts; each is handed back for another worker to go on with."""
        attempts = list(self.running.values())
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)

    async def _claim_and_run(self, state: TaskState, attempt: Attempt) -> None:
        while True:
            lookback = await self._look_back(state)
            beginning = await attempt.begin(state.first.event["data"]["input"])
            try:
                claim = await self._claim(state, beginning, lookback)
                break
            except Moved:
                state = await self.tasks.get(state.task_id)
        self.leases.keep(claim, lambda: self._lost(claim))
        try:
            await self._run(claim, attempt, beginning, lookback)
        finally:
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

    async def _run(self, claim: Claim, attempt: Attempt, beginning: Beginning, lookback: Lookback) -> None:
        writer = self.appender.writer(claim, lookback.size)
        if lookback.fruitless >= self.max_attempts:
            message = f"{lookback.fruitless} attempts in a row finished no node"
            return await self._end(writer, failed("poison", message))
        self.running[claim.task_id] = task = asyncio.create_task(attempt.run(beginning, writer))
        try:
            await asyncio.wait([task])
            if task.cancelled():
                await self._hand_back(claim, writer)
            else:
                await self._end(writer, task.result())
        finally:
            del self.running[claim.task_id]
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
            await self.tasks.settle(task_id, (await self.log.last(task_id))[0])
        elif event.type is EventType.TASK_INTERRUPTED:
            await self.tasks.unexpect(task_id)

    async def _hand_back(self, claim: Claim, writer: AttemptWriter) -> None:
        """Let another worker go on at once: what was written is written, and the lease is free."""
        await writer.flush()
        await self.leases.release(claim)
        state = await self.tasks.get(claim.task_id)
        await self.tasks.expect(claim.task_id, 1000)
        await self.dispatcher.dispatch(claim.task_id, state.record["pool"])

    def _lost(self, claim: Claim) -> None:
        task = self.running.get(claim.task_id)
        if task is not None:
            log.warning("the lease of task %s was lost", claim.task_id)
            task.cancel()
