"""Cache: what was found out of late, bounded in number and in time."""

from __future__ import annotations

import math
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Values by name. With too many of them the oldest goes.

    Args:
        most: how many it holds.
        seconds: for how long it holds each.
    """

    def __init__(self, most: int, seconds: float = math.inf) -> None:
        self._most = most
        self._seconds = seconds
        self._held: dict[str, tuple[float, T]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, name: str) -> T | None:
        """The value of that name, if it is held."""
        until, value = self._held.get(name, (-math.inf, None))
        return value if time.monotonic() < until else None

    def put(self, name: str, value: T) -> None:
        """Hold a value."""
        self._held.pop(name, None)
        if len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        self._held[name] = (time.monotonic() + self._seconds, value)

    def clear(self) -> None:
        """Hold nothing."""
        self._held.clear()
