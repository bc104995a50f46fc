"""What a worker is counted by, for Prometheus, besides the log's own (`events/metrics`)."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from typing import Any, Literal

from prometheus_client import Counter, Gauge, Histogram

from events.connect import AWAY
from events.errors import Fenced, Sealed
from events.log import Claim
from events.metrics import DURATIONS, describe, task_ended
from events.model import SUBMITTED_ID, Event, EventType, now_ms, parse_timestamp
from events.state import TaskState

Left = Literal["handed_back", "lost", "unreachable"]
"""How an attempt ends without an event of its own: for another worker; to another worker; Redis is away."""

RUNNING_TASKS = Gauge("taskreel_running_tasks", "Tasks that this worker runs.")
RUNNING_TASKS_LIMIT = Gauge("taskreel_running_tasks_limit", "Tasks that this worker runs at a time at most.")
_ATTEMPTS = Counter(
    "taskreel_attempts_total",
    "Attempts that ended here: succeeded, failed, cancelled, waiting, handed_back, lost, unreachable.",
    ["graph", "outcome"],
)
_TAKEOVERS = Counter(
    "taskreel_takeovers_total", "Attempts that went on where another had fallen silent.", ["graph"]
)
_WAIT_SECONDS = Histogram(
    "taskreel_task_wait_seconds",
    "From a task's submit to its first attempt.",
    ["graph"],
    buckets=(0.01, 0.025, 0.05, *DURATIONS),
)
LEASES_LOST = Counter("taskreel_leases_lost_total", "Leases that another worker took, while a task ran here.")
RENEWALS_FAILED = Counter(
    "taskreel_lease_renewal_failures_total", "Rounds of renewing leases that failed, for Redis was away."
)
_CHECKPOINT_SECONDS = Histogram(
    "taskreel_checkpoint_duration_seconds",
    "What storing a graph's state took: a whole checkpoint, or the writes of one node.",
    ["kind"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CHECKPOINTS = _CHECKPOINT_SECONDS.labels("checkpoint")
WRITES = _CHECKPOINT_SECONDS.labels("writes")
_SWEEPS = Counter("taskreel_sweeps_total", "Looks at what is overdue, by outcome: ok or failed.", ["outcome"])
SWEPT = _SWEEPS.labels("ok")
NOT_SWEPT = _SWEEPS.labels("failed")
_SWEPT_TASKS = Counter(
    "taskreel_swept_tasks_total",
    "Overdue tasks, by what was found: absent, ended, waiting, cancelled, held, queued, dispatched.",
    ["found"],
)

_OUTCOMES = {
    EventType.TASK_SUCCEEDED: "succeeded",
    EventType.TASK_FAILED: "failed",
    EventType.TASK_CANCELLED: "cancelled",
    EventType.TASK_INTERRUPTED: "waiting",
}


def begin(graphs: Iterable[str], places: int) -> None:
    """A worker begins to serve those graphs, with so many places for tasks."""
    describe("worker")
    RUNNING_TASKS_LIMIT.set(places)
    for graph in graphs:
        _TAKEOVERS.labels(graph)  # a series that begins at 1 has not grown, as far as Prometheus can tell


@contextlib.contextmanager
def running(state: TaskState, claim: Claim, *, handed_back: bool) -> Generator[None]:
    """An attempt runs here as long as the context lasts.

    Args:
        state: of the task, before the claim.
        claim: the attempt's.
        handed_back: the attempt before was.
    """
    graph = state.record["graph"]
    if state.last.id == SUBMITTED_ID:
        waited = (now_ms() - parse_timestamp(state.record["created_at"])) / 1000
        _WAIT_SECONDS.labels(graph).observe(max(0.0, waited))
    elif state.last.type is not EventType.TASK_INTERRUPTED and not handed_back:
        _TAKEOVERS.labels(graph).inc()
    with RUNNING_TASKS.track_inprogress(), _left(claim):
        yield


@contextlib.contextmanager
def _left(claim: Claim) -> Generator[None]:
    try:
        yield
    except (Fenced, Sealed):
        attempt_left(claim, "lost")
        raise
    except AWAY:
        attempt_left(claim, "unreachable")
        raise


def attempt_ended(claim: Claim, last: Event) -> None:
    """An attempt has ended by its last event, which is in the log; with it may have its task."""
    _ATTEMPTS.labels(claim.field(b"graph"), _OUTCOMES[last.type]).inc()
    if last.type is not EventType.TASK_INTERRUPTED:
        task_ended(claim, last)


def attempt_left(claim: Claim, how: Left) -> None:
    """An attempt has ended without such an event."""
    _ATTEMPTS.labels(claim.field(b"graph"), how).inc()


def swept(found: str) -> None:
    """An overdue task was looked after."""
    _SWEPT_TASKS.labels(found).inc()


async def timed(histogram: Histogram, doing: Any) -> Any:
    """Do it, and note how long it took."""
    with histogram.time():
        return await doing
