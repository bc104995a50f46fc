"""Contenders: the servers that do the same work in the same run, and what each must be able to do.

A contender serves on the core `cores.SERVER`; whatever publishes for it runs on the others. What publishes is
a process of its own that speaks the protocol of `bench/publisher`, in which events, rate and sizes are alike
for all.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bench import cores, system

MAX_STREAMS = "15000"
"""Enough for the largest crowd, also where it comes back before the pod has noticed that it left."""


@dataclass(frozen=True, slots=True)
class Server:
    """A contender's server that is ready.

    Attributes:
        port: on 127.0.0.1.
        pids: of the processes whose CPU time, memory and connections count.
        publisher: the command of what publishes; `--tasks N` is added to it.
    """

    port: int
    pids: Sequence[int]
    publisher: Sequence[str]


class Contender(Protocol):
    """A way to bring a log's events to many clients."""

    @property
    def name(self) -> str:
        """The head of its column."""
        ...

    def missing(self) -> str | None:
        """What this machine lacks for it; None when it can run."""
        ...

    def serve(self, valkey: int) -> AbstractContextManager[Server]:
        """Its server, with the logs on the Valkey at that port."""
        ...

    def path(self, task_id: str) -> str:
        """The request target of a task's stream, from its first event on. Something is sent at once."""
        ...


class Taskreel:
    """A pod, as `taskreel api` starts it."""

    name = "Taskreel"

    def missing(self) -> str | None:
        """Nothing, where the benchmarks run at all."""
        return None

    @contextlib.contextmanager
    def serve(self, valkey: int) -> Generator[Server]:
        """A pod on the server's core."""
        with system.pod(valkey, cores.SERVER, TASKREEL_MAX_STREAMS=MAX_STREAMS) as (port, pid):
            yield Server(port, [pid], to_log(valkey))

    def path(self, task_id: str) -> str:
        """As in docs/protocol.md."""
        return f"/tasks/{task_id}/stream"


def to_log(valkey: int) -> list[str]:
    """The publisher that appends as a worker does."""
    return [sys.executable, "-m", "bench.publisher", "--valkey", str(valkey)]
