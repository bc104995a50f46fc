"""Durability: what must have a milestone's entries, beside the memory of one server, before they count.

A task's submit, what a checkpoint builds on, the checkpoint itself, a question and a task's end are
milestones. Who waits for them waits until so many replicas (WAIT), or the server's own disk (WAITAOF), have
what the same connection has written before. What lies between milestones isn't waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from events.wire import Command

COPY_MS = 250
"""How long Redis waits for copies before it says how many there are."""

PAUSE_SECONDS = 0.25
"""How soon they are counted again when they were too few; other entries are written meanwhile."""

SUBMIT_SECONDS = 5.0
"""How long a submit waits for its copies, before the client is told to try again."""


class Level(StrEnum):
    """What must have a milestone before it counts."""

    OFF = "off"
    """The server's memory."""
    PRIMARY = "primary"
    """The server's disk."""
    REPLICA = "replica"
    """The memory of replicas too."""


@dataclass(frozen=True, slots=True)
class Durability:
    """What milestones wait for.

    Attributes:
        level: what must have them.
        replicas: of how many replicas, for `replica`.
    """

    level: Level = Level.OFF
    replicas: int = 1

    def __bool__(self) -> bool:
        return self.level is not Level.OFF

    @property
    def command(self) -> Command:
        """What waits, on the connection that wrote, until there are enough copies or 250 ms have passed."""
        if self.level is Level.PRIMARY:
            return ("WAITAOF", "1", "0", str(COPY_MS))
        return ("WAIT", str(self.replicas), str(COPY_MS))

    def reached(self, reply: Any) -> bool:
        """Whether there are enough copies, by the reply to that command.

        Raises:
            redis.exceptions.ResponseError: the server can't tell.
        """
        if isinstance(reply, Exception):
            raise reply
        if self.level is Level.PRIMARY:
            return cast("list[int]", reply)[0] >= 1
        return cast("int", reply) >= self.replicas

    @property
    def wanted(self) -> str:
        """What is waited for, for people."""
        return "the server's disk" if self.level is Level.PRIMARY else f"{self.replicas} replicas"


OFF = Durability()
