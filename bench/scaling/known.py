"""The figures that docs/scaling.md reckons with, each with its source. Who measures anew writes them here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

POD = 100.0
STREAM, SOCKET = 2.3, 3.7
EVENT, DELIVERY = 127.0, 10.0
RETURN = 0.40
POD_CONNECTIONS = 6
WRITE, READ = 8.9, 3.8
BELL = 1.5
RENEWALS = 1 / 3
DEADLINE, LEASE = 3.4, 6.5
ENTRY = 281
FRAME = 253
NGINX_STREAM, NGINX_DELIVERY = 20.0, 40.0
COMMANDS, SHARED_COMMANDS = 50.2, 37.2


@dataclass(frozen=True, slots=True)
class Known:
    """A figure.

    Attributes:
        name: what it tells.
        value: the number.
        unit: of the number.
        source: the command that measures it, or the document that it's from.
    """

    name: str
    value: float
    unit: str
    source: str

    @property
    def text(self) -> str:
        """The number with its unit."""
        return f"{self.value:,.3g} {self.unit}".rstrip()


_DELIVERIES = "`make bench ARGS=scaling.deliveries`"
_COMMANDS = "`make bench ARGS=scaling.commands`"
_EVENTS = "`make bench ARGS=scaling.events`"
_SHARED = "`make bench ARGS=scaling.shared`"
_TASKS = "`make bench ARGS=scaling.tasks`"
_ROLLING = "`make chaos ARGS=rolling`"
_SLABS = (
    "`/proc/slabinfo` of Linux 6.18: TCP 2,368, sock_inode_cache 832, filp 192, dentry 192, eventpoll_epi 128"
)
_FAN_OUT = "[performance.md](performance.md#fan-out): 147 µs for 2 clients of an event, 1,130 µs for 100"


def figures() -> Sequence[Known]:
    """All of them, in the order of an event's way."""
    return (
        Known("CPU of a Redis, an event written (MULTI, XADD, PUBLISH, EXEC)", WRITE, "µs", _EVENTS),
        Known("CPU of a Redis, an event read by one pod (bell and XREAD)", READ, "µs", _EVENTS),
        Known("CPU of a Redis, a bell that another node of the Cluster rings", BELL, "µs", _SHARED),
        Known("CPU of a Redis, a renewal's part in the task's own slot", LEASE, "µs", _SHARED),
        Known("CPU of a Redis, a renewal's part in `deadlines`", DEADLINE, "µs", _SHARED),
        Known("renewals of a running task", RENEWALS, "a second", "`RENEW_SECONDS` in `worker/lease`"),
        Known("memory of a Redis, an entry of 150 bytes of data", ENTRY, "bytes", _SHARED),
        Known("commands of a task of one node, in its own slot", COMMANDS, "", _TASKS),
        Known("the same on keys that a tenant's tasks share, and `deadlines`", SHARED_COMMANDS, "", _TASKS),
        Known("connections of a pod to Redis", POD_CONNECTIONS, "", _COMMANDS),
        Known("CPU of a pod, an event that it follows", EVENT, "µs", _FAN_OUT),
        Known("CPU of a pod, a delivery", DELIVERY, "µs", f"the same; {_DELIVERIES}"),
        Known("CPU of a pod, a stream that comes back", RETURN, "ms", "performance.md: 10,000 in 4.0 s"),
        Known("memory of a pod without streams", POD, "MiB", _COMMANDS),
        Known("memory of a pod, a stream", STREAM, "kB", "performance.md: 10,000 idle clients"),
        Known("memory of the kernel, a socket with nothing under way", SOCKET, "kB", _SLABS),
        Known("bytes to the client, an event of 100 bytes of data", FRAME, "bytes", _DELIVERIES),
        Known("memory of nginx, a stream, without its two sockets", NGINX_STREAM, "kB", _ROLLING),
        Known("CPU of nginx, a delivery, without TLS", NGINX_DELIVERY, "µs", _ROLLING),
    )
