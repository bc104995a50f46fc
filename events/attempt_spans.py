"""The spans of attempts. One of a worker that died is told by who takes its task over, for nobody else can.

The record names the newest attempt's span, and its beginning as long as it hasn't ended. Whoever claims the
task and finds a beginning tells of that attempt, by the very id that its nodes have for their parent. So an
attempt that has lost its task says nothing of itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span

from events import tracing
from events.connect import AWAY
from events.log import Claim, EventLog
from events.logfields import about
from events.model import TERMINAL, Entry, Event, now_ms, parse_timestamp
from events.tenancy import split

SPAN = "attempt_span"
"""Field of a record: the newest attempt's `traceparent`, and its beginning in Unix ms while it goes on."""

span_id: ContextVar[int | None] = ContextVar("span_id", default=None)
"""The id of the next span, for one that was given out before; None: any."""

_own: ContextVar[_Own | None] = ContextVar("own", default=None)


@dataclass(slots=True)
class _Own:
    """The attempt that goes on here, and whether its end is known."""

    span: Span
    known: bool = False


@asynccontextmanager
async def attempting(log: EventLog, claim: Claim, last: Entry | None = None) -> AsyncGenerator[None]:
    """The span of an attempt, around all that it does, and what its lines in the log bear.

    Args:
        log: where the task is.
        claim: the attempt's.
        last: the log's last entry before it.
    """
    record = claim.fields
    with about(task=claim.task_id, attempt=claim.started.attempt, trace_id=tracing.trace_id(record)):
        if not tracing.is_on():
            yield
            return
        own = _Own(_begin(claim, record, last))
        token = _own.set(own)
        try:
            with tracing.current(own.span):
                await _note(log, claim, f"{tracing.traceparent()} {now_ms()}")
                yield
        finally:
            _own.reset(token)
            if own.known:
                own.span.end()


def _begin(claim: Claim, record: Mapping[str, str], last: Entry | None) -> Span:
    """The attempt's span, and what else is to be told at its beginning."""
    before, _, began = record.get(SPAN, "").partition(" ")
    previous = tracing.context_of(before)
    parent = tracing.context_of(record.get(tracing.TRACEPARENT)) or previous or Context()
    name = f"attempt {record['graph']}"
    since = None if last is None else parse_timestamp(last.event["ts"])
    if began and previous is not None:
        _tell_lost(name, previous, parent, int(began), since)
    if since is not None:
        tracing.start("wait", parent, attributes=_about(claim), at_ms=since).end()
    links = [] if previous is None else [Link(get_current_span(previous).get_span_context())]
    return tracing.start(name, parent, kind=SpanKind.CONSUMER, attributes=_about(claim), links=links)


async def attempt_ended(log: EventLog, claim: Claim, event: Event | None) -> None:
    """Say how the attempt that goes on here has ended, before another one can begin.

    Args:
        log: where the task is.
        claim: the attempt's.
        event: its last one; None if it was handed back.
    """
    own = _own.get()
    if own is None:
        return
    own.known = True
    if event is None:
        own.span.set_attribute("taskreel.outcome", "handed_back")
    else:
        own.span.add_event(event.type)
        own.span.set_attribute("taskreel.outcome", event.type.partition(".")[2])
        if code := event.data.get("code"):
            own.span.set_status(StatusCode.ERROR, code)
    if event is None or event.type not in TERMINAL:
        await _note(log, claim, tracing.traceparent())


def _tell_lost(name: str, own: Context, parent: Context, began_ms: int, ended_ms: int | None) -> None:
    """The span of an attempt whose worker can't tell of it any more."""
    token = span_id.set(get_current_span(own).get_span_context().span_id)
    try:
        span = tracing.start(name, parent, kind=SpanKind.CONSUMER, at_ms=began_ms)
    finally:
        span_id.reset(token)
    span.set_attribute("taskreel.outcome", "lost")
    span.set_status(StatusCode.ERROR, "its worker was lost")
    span.end(max(began_ms, ended_ms or now_ms()) * 1_000_000)


async def _note(log: EventLog, claim: Claim, text: str) -> None:
    with suppress(*AWAY):  # the trace is the poorer for it, and the task is not
        await log.redis.hset(log.keys.task(claim.task_id), SPAN, text)  # pyright: ignore[reportGeneralTypeIssues]


def _about(claim: Claim) -> dict[str, str | int]:
    tenant, name = split(claim.task_id)
    return {
        "taskreel.task.id": name,
        "taskreel.tenant": tenant,
        "taskreel.attempt": claim.started.attempt,
        "taskreel.worker": claim.field(b"worker"),
    }
