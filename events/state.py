"""What a user submits, and where that task is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from events import tracing
from events.codec import to_json
from events.log import decode
from events.model import JSON, SUBMITTED_ID, TERMINAL, Entry, EventType, Status
from events.redaction import Redactor
from events.tenancy import ANYBODY, of_subject, qualify, tenant_of
from events.tracing import TRACEPARENT

SECRET_FIELDS = ("input", "answer")
"""Fields of a record that may hold what the log doesn't tell: what a graph is given. They go with its end."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a user asks for.

    Attributes:
        task_id: a new UUIDv7, with its tenant (`events/tenancy`).
        subject: who submits it.
        traceparent: of the span that it's submitted in; empty if nobody traces.
        graph: the name of a graph.
        pool: the pool of workers that serves it.
        input: the graph's input, checked against its schema.
        thread_id: LangGraph's thread, within the tenant; the task's own bare id unless the user names one.
        metadata: anything of the user's; stored and given back.
        created_at: RFC 3339.
    """

    task_id: str
    graph: str
    pool: str
    input: JSON
    thread_id: str
    metadata: Mapping[str, JSON]
    created_at: str
    subject: str = ANYBODY
    traceparent: str = ""

    def told(self, redactor: Redactor) -> Mapping[str, JSON]:
        """The data of its `task.submitted`.

        Raises:
            NotStorable: it isn't JSON.
        """
        data: dict[str, JSON] = {
            "graph": self.graph, "input": self.input, "thread_id": self.thread_id, "metadata": self.metadata,
            **tracing.told({TRACEPARENT: self.traceparent}),
        }  # fmt: skip
        return redactor.data(EventType.TASK_SUBMITTED, data) if redactor.suspects(to_json(data)) else data

    def record(self, told: Mapping[str, JSON]) -> dict[str, str]:
        """The first fields of its task's record; the input is there if the log doesn't tell all of it."""
        fields = {
            "graph": self.graph, "pool": self.pool, "thread_id": self.thread_id,
            "metadata": to_json(told["metadata"]).decode(), "created_at": self.created_at,
            "attempt": "0", "subject": self.subject,
        }  # fmt: skip
        if self.traceparent:
            fields[TRACEPARENT] = self.traceparent
        if told["thread_id"] != self.thread_id:
            fields["shown_thread_id"] = told["thread_id"]
        if told["input"] != self.input:
            fields["input"] = to_json(self.input).decode()
        return fields


@dataclass(frozen=True, slots=True)
class TaskState:
    """Where a task is: its record, and the ends of its log."""

    task_id: str
    record: Mapping[str, str]
    first: Entry
    last: Entry

    @property
    def status(self) -> Status:
        """Read from the log's last entry where that decides it."""
        if self.last.type in TERMINAL:
            return TERMINAL[self.last.type]
        if self.cancel_requested:
            return Status.CANCELLING
        if self.last.type is EventType.TASK_INTERRUPTED:
            return Status.QUEUED if self.answered else Status.WAITING
        return Status.QUEUED if self.last.id == SUBMITTED_ID else Status.RUNNING

    @property
    def subject(self) -> str:
        """Who submitted it."""
        return self.record.get("subject", ANYBODY)

    @property
    def input(self) -> JSON:
        """As the user gave it, also where the log tells less; of an unfinished task."""
        kept = self.record.get("input")
        return self.first.event["data"]["input"] if kept is None else orjson.loads(kept)

    @property
    def thread(self) -> str:
        """The LangGraph thread's name, which no other tenant has, nor any other subject of this one."""
        return qualify(tenant_of(self.task_id), of_subject(self.subject, self.record["thread_id"]))

    @property
    def answered(self) -> bool:
        """Whether the question at the log's end has its answer."""
        return self.record.get("answered") == str(self.last.id)

    @property
    def questions(self) -> Sequence[str]:
        """The ids of what the log's last entry asks; none if it asks nothing."""
        if self.last.type is not EventType.TASK_INTERRUPTED:
            return ()
        return [question["id"] for question in self.last.event["data"]["interrupts"]]

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody wants the task to end, done or not."""
        return "cancel_requested_at" in self.record


def task_state(task_id: str, record: Mapping[bytes, bytes], first: Any, last: Any) -> TaskState:
    """A state from the raw replies of HGETALL, XRANGE and XREVRANGE."""
    text = {name.decode(): value.decode() for name, value in record.items()}
    return TaskState(task_id, text, decode(first)[0], decode(last)[0])
