"""Execution: a graph that is being run, and the one place where it's stopped from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

from events.log import Claim
from events.model import Event, EventType
from events.writer import AttemptWriter

HAND_BACK_SECONDS = 3.0
"""How long a node may ignore its cancellation because its worker goes; the process is kept no longer."""


class Stop(Enum):
    """Why an execution is stopped before its graph has ended."""

    CANCEL = auto()
    """Somebody wants the task to end."""

    TIMEOUT = auto()
    """The task has run for as long as it may."""

    DRAIN = auto()
    """This worker goes; another one takes the task on."""

    LOST = auto()
    """Another worker has the task."""


class Execution:
    """Runs one attempt.

    Args:
        claim: the attempt's.
        writer: what it writes with.
        stop_seconds: how long a node may ignore its cancellation; then it's abandoned, and the fence keeps it
            silent.

    Attributes:
        control: LangGraph stops at the end of a superstep once its drain is requested.
        stopped: why it was stopped, if it was.
    """

    def __init__(self, claim: Claim, writer: AttemptWriter, stop_seconds: float) -> None:
        self.claim = claim
        self.writer = writer
        self.control = RunControl()
        self.stopped: Stop | None = None
        self._stop_seconds = stop_seconds
        self._stop = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []
        self._looking: asyncio.Task[None] | None = None

    async def run(self, graph: Coroutine[Any, Any, Event]) -> Event | None:
        """Run the graph to its last event; None if it was stopped before."""
        task = asyncio.create_task(graph)
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return self._last_event(task)
            task.cancel()
            draining = self.stopped is Stop.DRAIN
            await asyncio.wait([task], timeout=HAND_BACK_SECONDS if draining else self._stop_seconds)
            return self._event_despite_stop(task)
        finally:
            for timer in self._timers:
                timer.cancel()
            stop.cancel()
            task.cancel()
            task.add_done_callback(_ignore)

    def stop(self, why: Stop) -> None:
        """Have its graph cancelled; the first reason stands."""
        self.stopped = self.stopped or why
        self._stop.set()

    def stop_in(self, seconds: float, why: Stop) -> None:
        """Have its graph cancelled if it hasn't ended by then."""
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self.stop, why))

    def drain(self, seconds: float) -> None:
        """Have it end when the superstep does, or be cancelled after so many seconds."""
        self.control.request_drain()
        self.stop_in(seconds, Stop.DRAIN)

    def look(self, looking: Coroutine[Any, Any, None]) -> None:
        """Look for a wish, beside the graph."""
        self._looking = asyncio.create_task(looking)

    def _last_event(self, task: asyncio.Task[Event]) -> Event | None:
        try:
            return task.result()
        except GraphDrained:
            self.stopped = self.stopped or Stop.DRAIN
            return None

    def _event_despite_stop(self, task: asyncio.Task[Event]) -> Event | None:
        """A graph that came to its end all the same. One that failed may have done so for being cancelled."""
        if not task.done() or task.cancelled():
            return None
        event = self._last_event(task)
        handed_back = self.stopped is Stop.DRAIN
        if event is None or event.type is EventType.TASK_SUCCEEDED:
            return event
        return event if handed_back and event.type is EventType.TASK_INTERRUPTED else None


def _ignore(task: asyncio.Task[Event]) -> None:
    """What an abandoned graph ends with concerns nobody."""
    if not task.cancelled():
        task.exception()
