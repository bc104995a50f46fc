"""Every key and channel that Taskreel has in Redis, from one place.

Whatever holds something of a tenant's has the tenant in its name: `<prefix>:<tenant>:<kind>:<name>`, of four
parts or more, so that it can't be taken for one of the system's own, which have up to three. A task's id
tells the tenant (`events/tenancy`). A task's own keys share the hash tag `{task id}`, so that on a Cluster
they lie in one slot and a script may touch them together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from events.tenancy import DEFAULT, TENANT, of_subject, qualify, split, tenant_of


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
        return self._of_task(task_id, "log")

    def task(self, task_id: str) -> str:
        """Hash: what was submitted and where the task is. Expires with the log."""
        return self._of_task(task_id, "task")

    def lease(self, task_id: str) -> str:
        """String: the owner of the running attempt. Expires when it isn't renewed."""
        return self._of_task(task_id, "lease")

    def tombstone(self, task_id: str) -> str:
        """String: the task's subject. Left at the seal, outlives the log: tells 410 from 404."""
        return self._of_task(task_id, "gone")

    def bell(self, task_id: str) -> str:
        """Channel: rung after each write to the log. Its message is the last id written."""
        tenant, name = split(task_id)
        return f"{self.prefix}:{tenant}:bell:{name}"

    def control(self, task_id: str) -> str:
        """Channel: rung when somebody wants something of the worker that runs the task."""
        tenant, name = split(task_id)
        return f"{self.prefix}:{tenant}:control:{name}"

    def task_of_bell(self, channel: str) -> str:
        """The task whose channel that is."""
        _, tenant, _, name = channel.rsplit(":", 3)
        return qualify(tenant, name)

    @property
    def sweep(self) -> str:
        """Channel: rung when some task is due at once, so that a worker looks after it."""
        return f"{self.prefix}:sweep"

    @property
    def deadlines(self) -> str:
        """Sorted set: every unfinished task, scored by when somebody must have heard of it (Unix ms)."""
        return f"{self.prefix}:deadlines"

    @property
    def reconciled(self) -> str:
        """String: the history of writes that the deadlines were last reconciled with the logs in.

        It lies in the slot of the deadlines, so that the server that has them says which history that is.
        """
        return f"{self.prefix}:reconciled:{{{self.deadlines}}}"

    @property
    def every_log(self) -> str:
        """The pattern of all logs."""
        return f"{self.prefix}:*:{{*}}:log"

    def task_of_log(self, name: bytes) -> str | None:
        """The task whose log has that name; None if it's no log under this prefix, but looks like one."""
        of_tenant, _, rest = name.decode(errors="replace").removeprefix(f"{self.prefix}:").partition(":{")
        if TENANT.fullmatch(of_tenant) is None:
            return None
        task_id = qualify(of_tenant, rest.removesuffix("}:log"))
        return task_id if self.log(task_id).encode(errors="replace") == name else None

    def index(self, tenant: str) -> str:
        """Sorted set: a tenant's task ids at score 0; UUIDv7 sorts them by their time of creation."""
        return f"{self.prefix}:{tenant}:tasks:all"

    def hints(self, tenant: str, status: str | None, graph: str | None) -> str:
        """Sorted set, as the index: the tasks that may be in that status, of that graph; None is any."""
        of_graph = "" if graph is None else f":graph:{_digest(graph)}"
        return f"{self.prefix}:{tenant}:tasks:{status or 'any'}{of_graph}"

    def submitted_by(self, tenant: str, subject: str) -> str:
        """Sorted set, as the index: the tasks that one subject has submitted."""
        return f"{self.prefix}:{tenant}:tasks:by:{_digest(subject)}"

    def listing(self, task_id: str, subject: str | None) -> list[str]:
        """The index and, of a subject that is known, the set that a task is to be found in."""
        tenant = tenant_of(task_id)
        return [self.index(tenant), *([] if subject is None else [self.submitted_by(tenant, subject)])]

    def thread(self, tenant: str, subject: str, thread_id: str) -> str:
        """String: the unfinished task on a subject's LangGraph thread."""
        return f"{self.prefix}:{tenant}:thread:{_digest(of_subject(subject, thread_id))}"

    def checkpoints(self, thread_id: str) -> CheckpointKeys:
        """The keys of a LangGraph thread's checkpoints; its id names the tenant, as a task's does."""
        tenant = tenant_of(thread_id)
        known = tenant if TENANT.fullmatch(tenant) else DEFAULT  # a graph may name a thread as it likes
        return CheckpointKeys(f"{self.prefix}:{known}:{{{_digest(thread_id)}}}:cp")

    @property
    def every_checkpoints(self) -> str:
        """The pattern of the `points` of all threads."""
        return f"{self.prefix}:*:{{*}}:cp"

    def idempotency(self, tenant: str, subject: str, key: str) -> str:
        """String: the task that a subject's Idempotency-Key made, and the digest of its request."""
        return f"{self.prefix}:{tenant}:idempotency:{_digest(subject)}:{_digest(key)}"

    def submits(self, tenant: str, subject: str) -> str:
        """What the name begins with of a list of `limits`: when the subject has submitted of late."""
        return f"{self.prefix}:{tenant}:limits:submits:{_digest(subject)}"

    def streams(self, tenant: str, subject: str) -> str:
        """Sorted set: a subject's open streams, scored by when they are forgotten (Unix ms)."""
        return f"{self.prefix}:{tenant}:limits:streams:{_digest(subject)}"

    def unfinished(self, tenant: str, subject: str) -> str:
        """Sorted set: a subject's unfinished tasks, scored by when they may be questioned (Unix ms)."""
        return f"{self.prefix}:{tenant}:limits:tasks:{_digest(subject)}"

    @property
    def api_keys(self) -> str:
        """Hash: what is kept of each API key; none of them could be used."""
        return f"{self.prefix}:keys"

    @property
    def api_keys_bell(self) -> str:
        """Channel: rung when an API key is revoked. Its message is the key's id."""
        return f"{self.prefix}:keys-bell"

    @property
    def secret(self) -> str:
        """String: what pods sign tickets with, if no setting does. Expires after a day without use."""
        return f"{self.prefix}:secret"

    def spent_ticket(self, tenant: str, ticket_id: str) -> str:
        """String: that ticket was used. Expires soon after the ticket."""
        return f"{self.prefix}:{tenant}:ticket:{ticket_id}"

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

    def _of_task(self, task_id: str, kind: str) -> str:
        tenant, name = split(task_id)
        return f"{self.prefix}:{tenant}:{{{name}}}:{kind}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
