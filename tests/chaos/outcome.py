"""What a scenario finds. Pure."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table.

    Attributes:
        fault: what was done.
        rounds: how often.
        seconds: how long that took.
        figures: name to text, such as `{"takeover p99": "11.2 s", "doubled": "0"}`.
        failures: a sentence each, which names the task, seed or round; none if it passed.
    """

    fault: str
    rounds: int
    seconds: float
    figures: Mapping[str, str]
    failures: Sequence[str] = ()


class NotHere(Exception):
    """A scenario can't be run on this machine; the message says what it needs."""


class Scenario(Protocol):
    """A module that does one kind of harm."""

    @property
    def ROUNDS(self) -> int:
        """How many rounds the full form has."""
        ...

    @property
    def SHORT(self) -> int:
        """How many rounds the short form has, which takes about 10 s."""
        ...

    def run(self, rounds: int, seed: int) -> Coroutine[Any, Any, list[Outcome]]:
        """Do it; what is random about it comes from the seed."""
        ...
