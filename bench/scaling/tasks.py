"""What Redis is asked for a task from its submit to its end, by what it is asked of: by Redis's MONITOR.

What lies in the task's own slot grows with the shards of a Cluster. What doesn't is one key for all tasks, or
for all of a tenant's, and lies on one shard.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import Generator

from bench import system
from bench.client import Request
from bench.figures import Figure, Finding, Table

TASKS = 100
QUICK_TASKS = 20
WARM_UP = 5
_BODY = b'{"graph": "hello"}'
_LINE = re.compile(rb'\+\d+\.\d+ \[\d+ (lua|\S+)\] "([^"]+)"(.*)\r\n')

_KINDS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("the task's own keys, in its slot", re.compile(rb"taskreel:[^:]+:\{")),
    ("`deadlines`", re.compile(rb"taskreel:deadlines$")),
    ("limits of a subject", re.compile(rb"taskreel:[^:]+:limits:")),
    ("index and hints of a tenant", re.compile(rb"taskreel:[^:]+:tasks:")),
    ("queue (arq)", re.compile(rb"taskreel:queue:|arq:")),
    ("bells (PUBLISH)", re.compile(rb"taskreel:.*(bell|sweep|control)")),
)
_KEY = re.compile(rb'"((?:taskreel|arq):[^"]*)"')
_UNCOUNTED = (b"MULTI", b"EXEC", b"WATCH", b"UNWATCH", b"PING", b"SUBSCRIBE", b"UNSUBSCRIBE")


def measure(quick: bool) -> list[Finding]:
    """Submit tasks of one node one after the other, each followed to its end, and count."""
    tasks = QUICK_TASKS if quick else TASKS
    with system.valkey() as valkey, system.pod(valkey) as (port, _), system.worker(valkey):
        for _ in range(WARM_UP):
            _run(port)
        with _monitored(valkey) as lines:
            for _ in range(tasks):
                _run(port)
            time.sleep(1)  # for what follows a task's end
        found, seconds = Counter(map(_kind, lines.commands)), lines.seconds
    rows = [(kind, f"{found[kind] / tasks:.1f}") for kind in (*(name for name, _ in _KINDS), "other")]
    what = f"scaling: commands of a task of one node, {tasks} tasks in {seconds:.0f} s"
    shared = sum(found[kind] for kind in ("`deadlines`", "index and hints of a tenant")) / tasks
    return [
        Figure(f"{what}: in its own slot", found[_KINDS[0][0]] / tasks, "commands"),
        Figure(f"{what}: on keys shared by tasks, but for the queue's", shared, "commands"),
        Table("Redis commands a task of one node, without MULTI and EXEC", ("of", "commands"), rows),
    ]


def _run(port: int) -> None:
    task = Request(port, "POST", "/tasks", "text/event-stream", _BODY)
    task.wait_for(b"\nevent: task.succeeded\n")
    task.finish()


class _Lines:
    """What MONITOR tells; complete once `seconds` is there."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.seconds = 0.0

    def take(self, told: bytes) -> None:
        """Keep the commands that clients sent, with their keys; what scripts do is theirs."""
        for source, name, words in _LINE.findall(told):
            if source != b"lua" and name.upper() not in _UNCOUNTED:
                self.commands.append(name.upper() + words)


@contextlib.contextmanager
def _monitored(valkey: int) -> Generator[_Lines]:
    """What that Valkey is asked meanwhile; it is read when that is over."""
    lines, began = _Lines(), time.monotonic()
    with socket.create_connection(("127.0.0.1", valkey), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        connection.sendall(b"MONITOR\r\n")
        connection.recv(5)  # +OK
        yield lines
        lines.seconds = time.monotonic() - began
        connection.settimeout(0.5)
        told = bytearray()
        with contextlib.suppress(TimeoutError):
            while data := connection.recv(2**20):
                told += data
    lines.take(bytes(told))


def _kind(command: bytes) -> str:
    """What a command is of, by its first key or channel."""
    key = _KEY.search(command)
    return next((kind for kind, pattern in _KINDS if key and pattern.match(key[1])), "other")
