"""What the log can lie on, and which tests run on all of it: `--server valkey|redis7|cluster|sentinel|all`.

On the embedded Valkey everything runs. On the others it's what the log, its tailing and resuming are about.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Generator
from dataclasses import dataclass
from enum import StrEnum

from tests.support.cluster import cluster
from tests.support.sentinel import sentinel
from tests.support.server import server


class Kind(StrEnum):
    """How Redis is deployed."""

    VALKEY = "valkey"
    """One server, the embedded one."""
    REDIS7 = "redis7"
    """One server, the Redis on PATH; its tests are skipped if there is none of version 7 or newer."""
    CLUSTER = "cluster"
    """The log on three primaries with a replica each, the queue on one server."""
    SENTINEL = "sentinel"
    """A primary with two replicas, watched by three Sentinels."""


ALL = "all"
CHOICES = (*Kind, ALL)

EVERYWHERE = frozenset(
    {
        "test_append", "test_claim", "test_index", "test_locate", "test_log_machine", "test_restore",
        "test_resume", "test_store", "test_tailer", "test_fan_out", "test_fan_out_hand_over",
        "test_fan_out_losses", "test_fan_out_machine", "test_http_history", "test_http_stream",
        "test_http_stream_losses", "test_http_stream_passing", "test_http_submit", "test_http_tasks",
        "test_control", "test_dispatch", "test_interrupts", "test_queueing", "test_reconciler",
        "test_sweeper", "test_worker", "test_checkpoint", "test_checkpoint_fence", "test_checkpoint_losses",
        "test_checkpoint_reading", "test_checkpoint_redo", "test_checkpoint_tidy", "test_cut_offs",
        "test_forgetting", "test_stale_dispatch",
    }
)  # fmt: skip
"""The modules that run on each kind of deployment."""

ONE_SERVER = "redis_port"
"""A test with this fixture breaks the one server, or stands between it and us, so it needs one server.

What becomes of a Cluster and of a primary that Sentinels watch, when the same befalls them, is told by the
tests in tests/cluster, which break those.
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the log is, and the queue.

    Attributes:
        kind: how it's deployed.
        url: of the log.
        queue_url: of the queue, None if it's the log's.
        port: of the one server; 0 if there are several.
    """

    kind: Kind
    url: str
    queue_url: str | None = None
    port: int = 0


def kinds(chosen: str) -> list[Kind]:
    """What `--server` names."""
    return list(Kind) if chosen == ALL else [Kind(chosen)]


def runs_on(kind: Kind, module: str, fixtures: Collection[str]) -> bool:
    """Whether a test of that module with those fixtures runs on that kind."""
    if kind is Kind.VALKEY:
        return True
    return module in EVERYWHERE and (kind is Kind.REDIS7 or ONE_SERVER not in fixtures)


@contextlib.contextmanager
def deployed(kind: Kind) -> Generator[Deployment]:
    """Such a deployment, without persistence."""
    with contextlib.ExitStack() as stack:
        match kind:
            case Kind.VALKEY | Kind.REDIS7:
                one = stack.enter_context(server("valkey" if kind is Kind.VALKEY else "redis"))
                yield Deployment(kind, one.url(), port=one.port)
            case Kind.CLUSTER:
                log, queue = stack.enter_context(cluster()), stack.enter_context(server("valkey"))
                yield Deployment(kind, log.url, queue.url())
            case Kind.SENTINEL:
                yield Deployment(kind, stack.enter_context(sentinel()).url)
