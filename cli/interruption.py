"""Ctrl-C: the first one ends a command in order, a later one at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

INTERRUPTED = 130
"""What a shell shows for a process that SIGINT ended."""

PATIENCE_SECONDS = 1.0
"""Those that come sooner after the first are the same one: shells and people send it twice."""


class Interruption:
    """Cancels a task at SIGINT. asyncio's own handler would raise at the second one, wherever that may be."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._first: float | None = None

    def listen(self) -> None:
        """From now on."""
        signal.signal(signal.SIGINT, self._hear)

    def _hear(self, _number: int, _frame: object) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            if self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        elif now - self._first > PATIENCE_SECONDS:  # it hangs, perhaps in a write that nobody reads
            os._exit(INTERRUPTED)
