"""Every key and channel that Taskreel has in Redis, from one place.

A task's own keys share the hash tag `{task_id}`, so that on a Cluster they lie in one slot and a script may
touch them together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckpointKeys:
    """The keys of one LangGraph thread's checkpoints; a hash tag has them lie in one slot of a Cluster.

    Attributes:
        points: sorted set: its checkpoints without their values.
    """

    points: str

    @property
    def values(self) -> str:
        """Hash: the channels' values, and the thread's id."""
        return f"{self.points}:values"

    @property
    def written(self) -> str:
        """Set: the heads of the checkpoints that tasks have written to."""
        return f"{self.points}:written"

    @property
    def fence(self) -> str:
        """String: the newest attempt that may write there, as `<task id> <attempt>`."""
        return f"{self.points}:fence"

    def writes(self, head: bytes) -> str:
        """Hash: what tasks wrote to that checkpoint."""
        return f"{self.points}:writes:{head.decode()}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix; two systems with different prefixes can share a server."""

    prefix: str = "taskreel"

    def log(self, task_id: str) -> str:
        """Stream: the task's entries. Expires with the retention after it is sealed."""
        return f"{self.prefix}:{{{task_id}}}:log"

    def task(self, task_id: str) -> str:
        """Hash: what was submitted and where the task is. Expires with the log."""
        return f"{self.prefix}:{{{task_id}}}:task"

    def lease(self, task_id: str) -> str:
        """String: the owner of the running attempt. Expires when it isn't renewed."""
        return f"{self.prefix}:{{{task_id}}}:lease"

    def tombstone(self, task_id: str) -> str:
        """String: left when the log is sealed; outlives it, so that 410 can be told from 404."""
        return f"{self.prefix}:{{{task_id}}}:gone"

    def bell(self, task_id: str) -> str:
        """Channel: rung after each write to the log. Its message is the last id written."""
        return f"{self.prefix}:bell:{task_id}"

    def control(self, task_id: str) -> str:
        """Channel: rung when somebody wants something of the worker that runs the task."""
        return f"{self.prefix}:control:{task_id}"

    def task_of_bell(self, channel: str) -> str:
        """The task whose channel that is."""
        return channel.rpartition(":")[2]

    @property
    def deadlines(self) -> str:
        """Sorted set: every unfinished task, scored by when somebody must have heard of it (Unix ms)."""
        return f"{self.prefix}:deadlines"

    @property
    def index(self) -> str:
        """Sorted set: all task ids at score 0; UUIDv7 sorts them by their time of creation."""
        return f"{self.prefix}:tasks"

    def thread(self, thread_id: str) -> str:
        """String: the unfinished task on a LangGraph thread."""
        return f"{self.prefix}:thread:{_digest(thread_id)}"

    def checkpoints(self, thread_id: str) -> CheckpointKeys:
        """The keys of a LangGraph thread's checkpoints."""
        return CheckpointKeys(f"{self.prefix}:{{{_digest(thread_id)}}}:cp")

    @property
    def every_checkpoints(self) -> str:
        """The pattern of the `points` of all threads."""
        return f"{self.prefix}:{{*}}:cp"

    def idempotency(self, key: str) -> str:
        """String: the task that an Idempotency-Key made, and the digest of its request."""
        return f"{self.prefix}:idempotency:{_digest(key)}"

    @property
    def graphs(self) -> str:
        """Hash: the descriptor of each graph that some worker serves."""
        return f"{self.prefix}:graphs"

    def queue(self, pool: str) -> str:
        """Sorted set: arq's queue for a pool of workers."""
        return f"{self.prefix}:queue:{pool}"

    def queue_bell(self, pool: str) -> str:
        """Channel: rung after each dispatch, so that an idle worker need not poll fast."""
        return f"{self.prefix}:queue-bell:{pool}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
