"""The log against a model of it: any order of calls, on a real Valkey, keeps what the log promises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from events.append import Appender
from events.connect import connect
from events.errors import Fenced, Held, LogExpired, Sealed, TaskExists, TaskNotFound
from events.keys import Keys
from events.log import Claim, EventLog, submitted
from events.model import START, Event, EventId, EventType
from events.tasks import TaskStore
from events.writer import AttemptWriter

TERMINALS = [EventType.TASK_SUCCEEDED, EventType.TASK_FAILED, EventType.TASK_CANCELLED]


@dataclass
class Model:
    """What the log should be."""

    entries: list[tuple[EventId, EventType]] = field(default_factory=list[tuple[EventId, EventType]])
    leased: bool = False
    expired: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the last entry is terminal."""
        return bool(self.entries) and self.entries[-1][1] in TERMINALS


class LogMachine(RuleBasedStateMachine):
    """Create, claim, append, append again, seal, expire, read: in any order, with zombies about."""

    writers: Bundle[AttemptWriter] = Bundle("writers")
    url = ""

    @initialize()
    def begin(self) -> None:
        """Connect; each run has a prefix of its own."""
        self.runner = asyncio.Runner()
        self.redis = connect(self.url)
        self.log = EventLog(self.redis, Keys(f"machine-{uuid4().hex[:8]}"))
        self.tasks = TaskStore(self.log, retention_seconds=60)
        self.appender = Appender(self.redis, self.log.keys)
        self.task_id = str(uuid4())
        self.model = Model()

    @rule()
    def create(self) -> None:
        """A log is made once."""
        creating = self.log.create(self.task_id, submitted({}), {"status": "queued"})
        if self.model.entries and not self.model.expired:
            with pytest.raises(TaskExists):
                self.runner.run(creating)
        elif self.model.expired:
            creating.close()  # task ids are never reused: submits make a new one
        else:
            self.runner.run(creating)
            self.model.entries.append((EventId(0, 1), EventType.TASK_SUBMITTED))

    @rule(target=writers)
    def claim(self) -> AttemptWriter | MultipleResults[AttemptWriter]:
        """Claims succeed exactly when nobody holds the task and it isn't sealed."""
        claiming = self.log.claim(self.task_id, uuid4().hex, worker="w", lease_ms=60_000)
        refusal = self._why_not()
        if refusal is not None:
            with pytest.raises(refusal):
                self.runner.run(claiming)
            return multiple()
        claim = self.runner.run(claiming)
        last = self.model.entries[-1][0]
        assert claim.started == EventId(last.attempt + 1, last.seq + 1)
        self.model.entries.append((claim.started, EventType.ATTEMPT_STARTED))
        self.model.leased = True
        return self.runner.run(self._writer(claim))

    @precondition(lambda self: self.model.leased)
    @rule()
    def lose_lease(self) -> None:
        """The worker was killed; its lease runs out."""
        self._redis("DEL", self.log.keys.lease(self.task_id))
        self.model.leased = False

    @rule(writer=writers, count=st.integers(1, 5))
    def append(self, writer: AttemptWriter, count: int) -> None:
        """The newest attempt's events land in order; an older one's never do."""
        self._write(writer, [EventType.PROGRESS] * count)

    @rule(writer=writers, kind=st.sampled_from(TERMINALS))
    def seal(self, writer: AttemptWriter, kind: EventType) -> None:
        """A terminal event is the last."""
        self._write(writer, [kind])

    @rule(writer=writers)
    def retry(self, writer: AttemptWriter) -> None:
        """Sending what is there already, as after a lost reply, changes nothing."""
        if self.model.expired:
            return
        key = self.log.keys.log(self.task_id)
        last = str(self.model.entries[-1][0])
        with pytest.raises(Exception, match="equal or smaller"):
            self._redis("XADD", key, last, "type", "progress", "event", "{}")

    @precondition(lambda self: self.model.sealed and not self.model.expired)
    @rule()
    def expire(self) -> None:
        """Retention passes: the tombstone stays."""
        self.runner.run(self.tasks.settle(self.task_id))
        self._redis("DEL", self.log.keys.log(self.task_id))
        self.model.expired = True

    @rule(cut=st.integers(0, 30))
    def read(self, cut: int) -> None:
        """Reading after any entry gives exactly the rest."""
        if self.model.expired or not self.model.entries:
            with pytest.raises(LogExpired if self.model.expired else TaskNotFound):
                self.runner.run(self.log.locate(self.task_id, START))
            return
        position = START if cut == 0 else self.model.entries[min(cut, len(self.model.entries)) - 1][0]
        located = self.runner.run(self.log.locate(self.task_id, position))
        assert located.position == position
        rest = [entry.id for entry in self.runner.run(self.log.read(self.task_id, position))]
        assert rest == [event_id for event_id, _ in self.model.entries if event_id > position]

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Ids and types agree, seq is dense, and nothing follows a terminal event."""
        if not hasattr(self, "model") or self.model.expired:
            return
        found = [(entry.id, entry.type) for entry in self.runner.run(self.log.read(self.task_id, START))]
        assert found == self.model.entries
        assert [event_id.seq for event_id, _ in found] == list(range(1, len(found) + 1))

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "runner"):
            self.runner.run(self._clean())
            self.runner.close()

    async def _clean(self) -> None:
        await self.appender.close()
        for name in await self.redis.keys(f"{self.log.keys.prefix}:*"):
            await self.redis.delete(name)
        await self.redis.aclose()

    def _redis(self, *command: str) -> None:
        self.runner.run(cast("Coroutine[Any, Any, None]", self.redis.execute_command(*command)))

    def _why_not(self) -> type[Exception] | None:
        if not self.model.entries or self.model.expired:
            return TaskNotFound
        if self.model.sealed:
            return Sealed
        return Held if self.model.leased else None

    def _write(self, writer: AttemptWriter, kinds: list[EventType]) -> None:
        if self.model.expired:
            return
        newest = writer.claim.started.attempt == self.model.entries[-1][0].attempt
        if writer.sealed or not newest:
            with pytest.raises((Sealed, Fenced)):
                self.runner.run(self._append(writer, kinds))
            return
        self.runner.run(self._append(writer, kinds))
        for kind in kinds:
            last = self.model.entries[-1][0]
            self.model.entries.append((EventId(last.attempt, last.seq + 1), kind))

    async def _writer(self, claim: Claim) -> AttemptWriter:
        return self.appender.writer(claim)

    async def _append(self, writer: AttemptWriter, kinds: list[EventType]) -> None:
        for kind in kinds:
            await writer.append(Event(kind))
        await writer.flush()


def test_the_log_keeps_its_promises_in_any_order_of_calls(redis_port: int) -> None:
    """Hypothesis looks for a sequence of calls after which the log isn't what it should be."""
    LogMachine.url = f"redis://127.0.0.1:{redis_port}/0"
    run_state_machine_as_test(
        LogMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
