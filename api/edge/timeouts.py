"""Deadlines of one length for many connections, with one timer for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Timeouts(Generic[T]):
    """Tells whose time is up. Since all have the same time, whoever began first runs out of it first.

    Args:
        seconds: that each one has.
        expired: is called with whoever has used them up.
    """

    def __init__(self, seconds: float, expired: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._expired = expired
        self._since: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def start(self, item: T) -> None:
        """Its time begins now, if it hasn't begun before."""
        self._since.setdefault(item, time.monotonic())
        if self._timer is None:
            self._arm(self._seconds)

    def stop(self, item: T) -> None:
        """It has what it waited for."""
        self._since.pop(item, None)

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        while self._since:
            item, since = next(iter(self._since.items()))
            if since + self._seconds > now:
                return self._arm(since + self._seconds - now)
            del self._since[item]
            self._expired(item)
        return None
