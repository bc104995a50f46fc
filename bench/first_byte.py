"""From a submit to the first `attempt.started` at the client, on an idle system.

The clock starts before the client connects and stops when the frame is complete. Each task ends, and its
stream with it, before the next submit; then comes a pause of uneven length, so that a submit meets a worker
at rest and at any point of its poll.
"""

from __future__ import annotations

import random
import re
import time

from bench import system
from bench.client import Request
from bench.figures import Figure, at_most, median, nearest_rank

SUBMITS = 200
QUICK_SUBMITS = 50
WARM_UP = 5
PAUSE_SECONDS = (0.04, 0.07)

_BODY = b'{"graph":"hello","input":{"name":"bench"}}'
_STREAM = "text/event-stream"
_LOCATION = re.compile(rb"\r\nlocation: (\S+)", re.IGNORECASE)


def measure(quick: bool) -> list[Figure]:
    """Submit in both forms, by turns."""
    submits = QUICK_SUBMITS if quick else SUBMITS
    one: list[float] = []
    two: list[tuple[float, float]] = []
    with system.valkey() as valkey, system.pod(valkey) as (port, _), system.worker(valkey):
        for _ in range(WARM_UP + submits):
            one.append(_one_request(port))
            two.append(_two_requests(port))
    accepted, followed = zip(*two[WARM_UP:], strict=True)
    return [
        *_figures("POST as stream", one[WARM_UP:]),
        *_figures("POST, then GET", list(followed)),
        Figure("first-byte: POST, then GET: the 202 alone, median", median(accepted), "ms"),
    ]


def _figures(form: str, times: list[float]) -> list[Figure]:
    note = f"{len(times)} submits, {min(times):.1f} to {max(times):.1f} ms"
    return [
        Figure(f"first-byte: {form}, median", median(times), "ms", at_most(20), note),
        Figure(f"first-byte: {form}, p99", nearest_rank(times, 99), "ms", at_most(60)),
    ]


def _one_request(port: int) -> float:
    """Submit with `Accept: text/event-stream`; milliseconds until the attempt is seen to have started."""
    began = time.perf_counter()
    return _follow(Request(port, "POST", "/tasks", _STREAM, _BODY), began)


def _two_requests(port: int) -> tuple[float, float]:
    """Submit, then open the stream on another connection; milliseconds until the 202, and until the start."""
    began = time.perf_counter()
    submit = Request(port, "POST", "/tasks", "application/json", _BODY)
    head = bytes(submit.received[: submit.wait_for(b"\r\n\r\n")])
    accepted = (time.perf_counter() - began) * 1000
    location = _LOCATION.search(head)
    if location is None or not head.startswith(b"HTTP/1.1 202"):
        raise ValueError(f"not a 202 with a Location: {head!r}")
    stream = Request(port, "GET", f"{location[1].decode()}/stream", _STREAM)
    started = _follow(stream, began)
    submit.finish()
    return accepted, started


def _follow(stream: Request, began: float) -> float:
    stream.wait_for(b"\nevent: attempt.started\n")
    stream.wait_for(b"\n\n")
    elapsed = (time.perf_counter() - began) * 1000
    stream.wait_for(b"\nevent: task.succeeded\n")
    stream.finish()
    time.sleep(random.uniform(*PAUSE_SECONDS))
    return elapsed
