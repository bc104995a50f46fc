"""Publishing at a steady rate, as a process of its own that is told what to do by lines of JSON.

    it begins    {"tasks": ["01...", ...], "last": 2}          the tasks, and the seq that each has come to
    is asked     {"rate": 1000, "seconds": 5, "bytes": 100, "timed": true}
    and answers  {"last": 502, "events": 5000, "seconds": 5.0, "late_ms": 0.7, "cpu_seconds": 0.6}

until its input ends. Events are spread evenly in time and over the tasks. A timed one bears in its data when
it was handed over, `{"sent": NS, ...}` by CLOCK_MONOTONIC. `late_ms` is how far one was behind at most.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
import uvloop

from bench.logs import open_bench
from bench.ticks import ticking
from events.model import Event, EventType
from events.writer import AttemptWriter

FINEST_SECONDS = 0.0005
"""Beats are no closer; a higher rate has several events a beat."""


class Sink(Protocol):
    """Where events are published, to tasks by their number."""

    @property
    def tasks(self) -> Sequence[str]:
        """The ids of its tasks."""
        ...

    @property
    def last(self) -> int:
        """The last seq of each."""
        ...

    async def put(self, task: int, event: Event) -> None:
        """Send an event on its way; events of a task arrive in order."""
        ...

    async def flush(self) -> None:
        """Wait until all of them are where they belong."""
        ...


class LogSink:
    """Appends through the product's own appender, as a worker does."""

    def __init__(self, writers: Sequence[AttemptWriter]) -> None:
        self.tasks = [writer.claim.task_id for writer in writers]
        self._writers = writers

    @property
    def last(self) -> int:
        """The last seq of each."""
        return min(writer.last.seq for writer in self._writers)

    async def put(self, task: int, event: Event) -> None:
        """Append it."""
        await self._writers[task].append(event)

    async def flush(self) -> None:
        """Wait for Redis's word."""
        for writer in self._writers:
            await writer.flush()


async def obey(sink: Sink) -> None:
    """Say what tasks there are, then publish as told until the input ends."""
    _say({"tasks": sink.tasks, "last": sink.last})
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        _say(await _publish(sink, orjson.loads(line)))


async def _publish(sink: Sink, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    rate, tasks = wanted["rate"], len(sink.tasks)
    events = round(rate * wanted["seconds"] / tasks) * tasks
    padding = "x" * max(0, wanted["bytes"] - len(b'{"sent":,"text":""}') - len(str(time.monotonic_ns())))
    began, cpu, number, late = time.monotonic(), time.process_time(), 0, 0.0
    with ticking(max(FINEST_SECONDS, 1 / rate)) as ticks:
        while number < events:
            await ticks.wait()
            elapsed = time.monotonic() - began
            late = max(late, elapsed - (number + 1) / rate)
            while number < events and (number + 1) / rate <= elapsed:
                await sink.put(number % tasks, _event(padding, timed=wanted["timed"]))
                number += 1
    await sink.flush()
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    return {
        "last": sink.last,
        "events": events,
        "seconds": seconds,
        "late_ms": late * 1000,
        "cpu_seconds": cpu,
    }


def _event(padding: str, *, timed: bool) -> Event:
    data = {"sent": time.monotonic_ns(), "text": padding} if timed else {"text": padding}
    return Event(EventType.PROGRESS, data, "crawl", "cb7a5eab")


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


async def _main(valkey: int, tasks: int) -> None:
    async with open_bench(valkey) as bench:
        await obey(LogSink([await bench.claim() for _ in range(tasks)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--valkey", type=int, required=True, metavar="PORT")
    parser.add_argument("--tasks", type=int, required=True, metavar="N")
    given = parser.parse_args()
    uvloop.run(_main(given.valkey, given.tasks))
