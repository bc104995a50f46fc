"""What an idle worker and an idle pod ask of Redis, by Redis's own count; each has a server of its own."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter

from bench import system
from bench.figures import Figure, at_most

SECONDS = 20.0
QUICK_SECONDS = 10.0
SETTLE_SECONDS = 2.0

_OWN = "info"
_CALLS = re.compile(r"^cmdstat_(\S+):calls=(\d+)", re.MULTILINE)


def measure(quick: bool) -> list[Figure]:
    """Let both be idle at the same time, for as long as one or two of the worker's announcements."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with system.valkey() as first, system.worker(first), system.valkey() as second, system.pod(second):
        time.sleep(SETTLE_SECONDS)
        before = _calls(first), _calls(second)
        time.sleep(seconds)
        worker, pod = _calls(first) - before[0], _calls(second) - before[1]
    return [
        Figure("idle: worker", worker.total() / seconds, "commands/s", at_most(5), _note(worker, seconds)),
        Figure("idle: pod", pod.total() / seconds, "commands/s", None, _note(pod, seconds)),
    ]


def _calls(port: int) -> Counter[str]:
    """How often each command was called since the server's start, our own left out."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"INFO commandstats\r\n")  # a client library would greet, and be counted
        with connection.makefile("rb") as reply:
            text = reply.read(int(reply.readline()[1:])).decode()
    calls = Counter({name: int(count) for name, count in _CALLS.findall(text)})
    del calls[_OWN]
    return calls


def _note(calls: Counter[str], seconds: float) -> str:
    found = ", ".join(f"{count} {name}" for name, count in calls.most_common())
    return f"in {seconds:g} s: {found or 'nothing'}"
