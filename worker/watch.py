"""What the lease thread watches: tasks that the event loop ought to have ended, and the loop itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from events.log import Claim
from worker.execution import Stop

log = logging.getLogger(__name__)

LATE_SECONDS = 2.0
"""What the event loop has to end a task, beyond the time that a node may ignore its cancellation."""

SILENT_SECONDS = 5.0
"""An event loop that hasn't answered for so long is worth a warning."""


@dataclass(slots=True)
class Watched:
    """A task that is run here.

    Attributes:
        claim: its claim.
        stop: stops it, called in the event loop.
        limit: when its time is up, by the monotonic clock.
        cancelled: since when it is known that somebody wants it cancelled, by the same clock.
    """

    claim: Claim
    stop: Callable[[Stop], None]
    limit: float
    cancelled: float | None = None

    def overdue(self, stop_seconds: float) -> Stop | None:
        """Why it should have been ended by now, if it should, when a node has so long to stop."""
        latest = time.monotonic() - stop_seconds - LATE_SECONDS
        if self.cancelled is not None and self.cancelled < latest:
            return Stop.CANCEL
        return Stop.TIMEOUT if self.limit < latest else None


class Pulse:
    """Tells whether an event loop still turns.

    Args:
        loop: which one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._asked: float | None = None
        self._warned = False

    def feel(self, running: Collection[str]) -> None:
        """Ask the loop for a sign of life; warn once if it gives none, and name the tasks that run there."""
        if self._asked is None:
            self._asked, self._warned = time.monotonic(), False
            self.loop.call_soon_threadsafe(self._answer)
        elif time.monotonic() - self._asked > SILENT_SECONDS and not self._warned:
            self._warned = True
            tasks = ", ".join(sorted(running))
            log.warning("the event loop has not turned for %g s; a node blocks it: %s", SILENT_SECONDS, tasks)

    def _answer(self) -> None:
        self._asked = None
