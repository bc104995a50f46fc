"""An even beat finer than the event loop's timers, which know whole milliseconds alone: Linux's timerfd."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import time
from collections.abc import Generator

_LIBC = ctypes.CDLL(None, use_errno=True)
_NANO = 1_000_000_000


class Ticks:
    """Wakes its one waiter at each beat; beats that nobody waited for are one."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next beat."""
        await self._beat.wait()
        self._beat.clear()

    def beat(self, timer: int) -> None:
        """Take the beats of the timer."""
        os.read(timer, 8)
        self._beat.set()


@contextlib.contextmanager
def ticking(seconds: float) -> Generator[Ticks]:
    """Beats so far apart, on the running event loop.

    Raises:
        OSError: the system gives no timer.
    """
    ticks, loop = Ticks(), asyncio.get_running_loop()
    timer = _LIBC.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if timer < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    try:
        interval = divmod(round(seconds * _NANO), _NANO)
        _LIBC.timerfd_settime(timer, 0, ctypes.byref((ctypes.c_long * 4)(*interval, *interval)), None)
        loop.add_reader(timer, ticks.beat, timer)
        yield ticks
        loop.remove_reader(timer)
    finally:
        os.close(timer)
