"""A sealed log of nearly 100,000 events, read whole by one client: as SSE, as NDJSON, and without any HTTP.

The client receives into memory made ready beforehand and looks at nothing until the clock has stopped. Then
every answer is taken apart and each of its ids is checked. The three ways take turns, so that their ratio
holds even where something else is using the machine. A last client, not timed, stops reading for a second: a
pod that read ahead of its clients would show it in its memory.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field

import orjson
import uvloop

from api.sse import SseCodec
from bench import system
from bench.client import Request, body_of
from bench.figures import Figure, at_least, at_most, median
from bench.logs import LARGEST, open_bench, sealed_log
from events.model import START

QUICK_EVENTS = 20_000
ROUNDS = 3
BUFFER_BYTES = 64 * 1024 * 1024
REST_SECONDS = 1.0

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"

_FRAME = re.compile(rb"^id: \d+-(\d+)\nevent: [a-z._]+\ndata: \{.*\}\n\n", re.MULTILINE)


@dataclass(slots=True)
class _Rounds:
    """The seconds that each round took, and the bytes of an answer's body."""

    seconds: list[float] = field(default_factory=list[float])
    size: int = 0


def measure(quick: bool) -> list[Figure]:
    """Read it three times each way."""
    events = QUICK_EVENTS if quick else LARGEST
    buffer = memoryview(bytearray(b"\1" * BUFFER_BYTES))
    sse, lines, bare = _Rounds(), _Rounds(), _Rounds()
    with system.valkey() as valkey:
        task_id = uvloop.run(_build(valkey, events))
        with system.pod(valkey) as (port, pid):
            resident = system.resident_mib(pid, "VmRSS")
            for _ in range(ROUNDS):
                bare.seconds.append(uvloop.run(_read_alone(valkey, task_id, events)))
                _read_sse(port, task_id, events, buffer, sse)
                _read_lines(port, task_id, events, buffer, lines)
            _read_with_a_rest(port, task_id)
            growth = system.resident_mib(pid, "VmHWM") - resident
    return [
        _figure("SSE", sse, events, bar=True),
        _figure("NDJSON", lines, events, bar=True),
        _figure("reading and encoding alone, no HTTP", bare, events, bar=False),
        Figure("replay: SSE, of what reading and encoding do alone", _ratio(bare, sse), "%"),
        Figure("replay: NDJSON, of what reading and encoding do alone", _ratio(bare, lines), "%"),
        *_memory(growth, resident),
    ]


def _figure(way: str, rounds: _Rounds, events: int, *, bar: bool) -> Figure:
    rates = [events / seconds for seconds in rounds.seconds]
    note = f"{events:,} events, {rounds.size / 2**20:.1f} MiB; rounds " if rounds.size else "rounds "
    note += ", ".join(f"{rate / 1000:.0f}k" for rate in rates)
    return Figure(f"replay: {way}", median(rates), "events/s", at_least(150_000) if bar else None, note)


def _memory(growth: float, resident: float) -> list[Figure]:
    note = f"its peak, over the {resident:.0f} MiB it held when ready"
    figure = Figure("replay: growth of the pod's memory", growth, "MiB", at_most(30), note)
    return [] if math.isnan(growth) else [figure]


def _ratio(bare: _Rounds, rounds: _Rounds) -> float:
    return 100 * median([mine / its for mine, its in zip(bare.seconds, rounds.seconds, strict=True)])


async def _build(valkey: int, events: int) -> str:
    async with open_bench(valkey) as bench:
        return await sealed_log(bench, events)


async def _read_alone(valkey: int, task_id: str, events: int) -> float:
    """The least that a replay could cost in Python: read a page, encode it, forget it. Gives the seconds."""
    codec, position, found = SseCodec(), START, 0
    async with open_bench(valkey) as bench:
        await bench.redis.ping()
        began = time.perf_counter()
        while page := await bench.log.read(task_id, position):
            codec.entries(page)
            position, found = page[-1].id, found + len(page)
        elapsed = time.perf_counter() - began
    if found != events:
        raise ValueError(f"{found} events, not {events}")
    return elapsed


def _read_sse(port: int, task_id: str, events: int, buffer: memoryview, rounds: _Rounds) -> None:
    body = _timed(port, f"/tasks/{task_id}/stream", SSE, buffer, rounds)
    _check([int(seq) for seq in _FRAME.findall(body)], events)  # a heartbeat between frames is all right


def _read_lines(port: int, task_id: str, events: int, buffer: memoryview, rounds: _Rounds) -> None:
    body = _timed(port, f"/tasks/{task_id}/events", NDJSON, buffer, rounds)
    _check([orjson.loads(line)["seq"] for line in body.splitlines()], events)


def _check(seqs: list[int], events: int) -> None:
    if seqs != list(range(1, events + 1)):
        raise ValueError(f"not every event came once, whole and in order: {len(seqs)} of {events}")


def _read_with_a_rest(port: int, task_id: str) -> None:
    for path, accept in ((f"/tasks/{task_id}/stream", SSE), (f"/tasks/{task_id}/events", NDJSON)):
        request = Request(port, "GET", path, accept)
        request.wait_for(b"task.submitted")
        time.sleep(REST_SECONDS)
        request.finish()


def _timed(port: int, path: str, accept: str, buffer: memoryview, rounds: _Rounds) -> bytes:
    """One request, from before its connect to the server's close; gives the body."""
    began = time.perf_counter()
    size = Request(port, "GET", path, accept).receive_into(buffer)
    rounds.seconds.append(time.perf_counter() - began)
    body = body_of(bytes(buffer[:size]))
    rounds.size = len(body)
    return body
