"""Ctrl-C and SIGTERM: the first one ends a command in order, a later Ctrl-C at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

PATIENCE_SECONDS = 1.0
"""Those that come sooner after the first are the same one: shells and people send it twice."""


def status_of(number: int) -> int:
    """What a shell shows for a process that this signal ended: 130 for SIGINT."""
    return 128 + number


class Interruption:
    """Cancels a task at a signal. asyncio's own handler raises at the second, wherever that is."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._first: float | None = None
        self._number = signal.SIGINT

    def listen(self, task: asyncio.Task[Any] | None) -> None:
        """Cancel this task, which runs in this loop, from now on."""
        self._task, self._loop = task, asyncio.get_running_loop()
        signal.signal(signal.SIGINT, self._hear)
        signal.signal(signal.SIGTERM, self._hear)

    def settle(self) -> int:
        """It is over: nothing interrupts the process's last steps. Gives its exit status."""
        for number in (signal.SIGINT, signal.SIGTERM):  # whose finger is still on the key
            signal.signal(number, signal.SIG_IGN)
        return status_of(self._number)

    def _hear(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._number = now, signal.Signals(number)
            if self._task is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        elif now - self._first > PATIENCE_SECONDS:  # it hangs, perhaps in a write that nobody reads
            os._exit(status_of(number))
