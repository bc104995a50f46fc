"""Execution: a graph that is being run, and the one place where it's stopped from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any

from events.append import AttemptWriter
from events.log import Claim
from events.model import Event

STOP_SECONDS = 10.0
"""How long a node may ignore that it is cancelled; then it's abandoned, and the fence keeps it silent."""


class Stop(Enum):
    """Why an execution is stopped before its graph has ended."""

    CANCEL = auto()
    """Somebody wants the task to end."""

    DRAIN = auto()
    """This worker goes; another one takes the task on."""

    LOST = auto()
    """Another worker has the task."""


class Execution:
    """Runs one attempt.

    Attributes:
        claim: the attempt's.
        writer: what it writes with.
        stopped: why it was stopped, if it was.
    """

    def __init__(self, claim: Claim, writer: AttemptWriter) -> None:
        self.claim = claim
        self.writer = writer
        self.stopped: Stop | None = None
        self._stop = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def run(self, graph: Coroutine[Any, Any, Event]) -> Event | None:
        """Run the graph to its last event; None if it was stopped before."""
        task = asyncio.create_task(graph)
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=STOP_SECONDS)
        finally:
            stop.cancel()
            task.cancel()
        return task.result() if task.done() and not task.cancelled() else None

    def stop(self, why: Stop) -> None:
        """Have it end; the first reason stands."""
        self.stopped = self.stopped or why
        self._stop.set()

    def look(self, looking: Coroutine[Any, Any, None]) -> None:
        """Look for a wish, beside the graph."""
        self._looking = asyncio.create_task(looking)
