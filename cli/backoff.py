"""How long a client waits before it asks again."""

from __future__ import annotations

import random

LONGEST_SECONDS = 30.0
OTHER_POD_SECONDS = 0.5


class Backoff:
    """The waits between tries; each is random within its bounds, so that clients don't come as one.

    Args:
        pods: how many there are to try; only after a whole round of failures is a wait longer than the last.

    Attributes:
        retry: seconds, what the server asked for in `retry:`, or a second.
        failures: how many tries in a row came to nothing.
    """

    def __init__(self, pods: int) -> None:
        self.retry = 1.0
        self.failures = 0
        self._pods = pods

    def ask(self, milliseconds: int) -> None:
        """Take over a `retry:` of the server's; absurd ones are brought into 0 to 60 s."""
        self.retry = min(max(milliseconds / 1000, 0.0), 60.0)

    def fail(self, asked: float | None = None) -> float:
        """Count a failure; gives the seconds to wait, never less than the server `asked` for."""
        self.failures += 1
        if asked is not None:
            return asked * random.uniform(1, 1.25)
        if self.failures % self._pods:
            return random.uniform(0, min(OTHER_POD_SECONDS, self.retry))
        rounds = min(self.failures // self._pods, 8)
        return min(self.retry * 2 ** (rounds - 1), LONGEST_SECONDS) * random.uniform(1, 1.5)

    def succeed(self) -> None:
        """Something came: the next failure is the first again."""
        self.failures = 0
