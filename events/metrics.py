"""What the log is counted by, for Prometheus: appends, reads, deliveries, connections, and how tasks end.

Names follow Prometheus' conventions: base units, and `_total` for what only grows. Labels are bounded: names
of graphs, outcomes, codes; never an id, a tenant or a text. On the hot paths a batch or a chunk is counted,
never an event or a delivery: a count takes 0.4 µs, a histogram 1 µs. What each tells: docs/operations.md.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from events.model import TERMINAL, Entry, Event, EventType, now_ms, parse_timestamp
from events.position import Gap, Page, Rewound

if TYPE_CHECKING:
    from events.log import Claim
    from events.writer import Write

disable_created_metrics()  # a second series for each count, of which Prometheus makes nothing by default

_LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds: what is usual takes under 1 ms, and a client has been given up after 30 s."""

DURATIONS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
"""Seconds of a task, which may wait for a person for a day."""

_TS = re.compile(rb'"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z"')
_ENVELOPE = 128
"""Bytes at the beginning of a document that its time is in, before anything of a user's."""

_BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500)

_BUILD = Info("taskreel_build", "Which program this is, and in which role: api or worker.")
LOG_UP = Gauge("taskreel_log_up", "1 if the log's Redis answered of late, 0 if not.")

_CONNECTS = Counter(
    "taskreel_redis_connects_total",
    "Connections made to Redis, or tried, by outcome: after the start, each is a reconnect.",
    ["outcome"],
)
CONNECTED = _CONNECTS.labels("ok")
NOT_CONNECTED = _CONNECTS.labels("failed")

_APPEND_SECONDS = Histogram(
    "taskreel_append_duration_seconds",
    "From a batch's sending to Redis's acknowledgement, retries included.",
    buckets=_LATENCIES,
)
_APPEND_ENTRIES = Histogram(
    "taskreel_append_batch_entries", "Entries that were written together.", buckets=_BATCHES
)
_BELLS_RUNG = Counter("taskreel_bells_rung_total", "Bells that appends rang: one for each task of a batch.")
BELLS_HEARD = Counter("taskreel_bells_heard_total", "Bells heard, those of control and queue among them.")
RESTORED_LOGS = Counter(
    "taskreel_restored_logs_total", "Logs whose end Redis had lost, and that were put back."
)

_READS = Counter("taskreel_shared_reads_total", "Reads that were made once for all who follow the tasks.")
_READ_ENTRIES = Counter("taskreel_shared_read_entries_total", "Entries that these reads brought.")

_DELIVERIES = Counter(
    "taskreel_deliveries_total",
    "Entries handed to clients: live, or from history as one catches up.",
    ["path"],
)
_LIVE = _DELIVERIES.labels("live")
_HISTORY = _DELIVERIES.labels("history")
_LAG = Histogram(
    "taskreel_delivery_lag_seconds",
    "From append to send, of the oldest entry of each live chunk; by the clocks of worker and pod.",
    buckets=_LATENCIES,
)
_NOTICES = Counter(
    "taskreel_stream_notices_total",
    "Clients told that the log lacks what it had: gap or rewound.",
    ["notice"],
)
_GAPS = _NOTICES.labels("gap")
_REWINDS = _NOTICES.labels("rewound")

_TASK_SECONDS = Histogram(
    "taskreel_task_duration_seconds",
    "From a task's submit to its end, with what it waited for workers and people.",
    ["graph", "outcome"],
    buckets=DURATIONS,
)
_FAILURES = Counter("taskreel_task_failures_total", "Tasks that failed, by the code in their log.", ["code"])
_FAILURES.labels("poison")  # a series that begins at 1 has not grown, as far as Prometheus can tell


def describe(role: str) -> None:
    """Say which program this is: `api` or `worker`."""
    _BUILD.info({"version": version("taskreel"), "role": role})


def appended(writes: Sequence[Write], began: float) -> None:
    """A batch was acknowledged; `began` is of `time.perf_counter`."""
    _APPEND_SECONDS.observe(time.perf_counter() - began)
    _APPEND_ENTRIES.observe(len(writes))
    _BELLS_RUNG.inc(len({write.writer for write in writes}))


def read(found: Mapping[str, Sequence[Entry]]) -> None:
    """A shared read was made."""
    _READS.inc()
    if found:
        _READ_ENTRIES.inc(sum(map(len, found.values())))


def delivered(entries: Sequence[Entry], readers: int) -> None:
    """Entries went to so many readers as they came."""
    _LIVE.inc(len(entries) * readers)
    found = _TS.search(entries[0].document, 0, _ENVELOPE)
    if found is not None:
        _LAG.observe(max(0.0, time.time() - _second(found[1]) - int(found[2]) / 1000))


def caught_up(page: Page) -> None:
    """A page of history went to one reader."""
    if page.notice is not None:
        told(page.notice)
    elif page.entries:
        _HISTORY.inc(len(page.entries))


def told(notice: Gap | Rewound, readers: int = 1) -> None:
    """So many readers were told what the log lacks."""
    (_GAPS if isinstance(notice, Gap) else _REWINDS).inc(readers)


def task_ended(claim: Claim, last: Event) -> None:
    """A task's terminal event is in the log."""
    seconds = (now_ms() - parse_timestamp(claim.field(b"created_at"))) / 1000
    _TASK_SECONDS.labels(claim.field(b"graph"), TERMINAL[last.type]).observe(max(0.0, seconds))
    if last.type is EventType.TASK_FAILED:
        _FAILURES.labels(last.data["code"]).inc()


@lru_cache(maxsize=8)  # a second has thousands of entries
def _second(text: bytes) -> float:
    try:
        return datetime.fromisoformat(f"{text.decode()}+00:00").timestamp()
    except ValueError:
        return math.inf  # no such day: whoever wrote it, deliveries must go on
