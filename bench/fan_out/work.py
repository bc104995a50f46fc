"""What is asked of a server, and what became of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.load import Received

BYTES = 100
"""An event's data, unless something else is asked for; its document has 110 more."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of a server.

    Attributes:
        clients: how many, each on one task.
        tasks: how many, with equally many clients and events.
        rate: events a second, over all tasks.
        seconds: for how long.
        size: bytes of each event's data.
    """

    clients: int
    tasks: int
    rate: float
    seconds: float
    size: int = BYTES

    @property
    def per_task(self) -> int:
        """Events that each task gets."""
        return round(self.rate * self.seconds / self.tasks)

    @property
    def deliveries(self) -> int:
        """Events that all clients together shall get."""
        return self.clients * self.per_task

    def __str__(self) -> str:
        return f"{self.clients:,} clients, {self.tasks:,} tasks, {self.rate:,.0f} events/s"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it.

    Attributes:
        work: what was asked.
        received: what the clients saw.
        wrong: events that a client should have had and hadn't, or had out of order.
        cpu_seconds: of the server, from the first event published to the last one received.
        seconds: that time.
        redis: its connections to Redis.
        commands: that it sent to Redis, a second.
        waited: seconds in which something else ran on the server's core while it could have: a disturbance.
        others: how busy the other cores were, from 0 to 1: near 1, it's not the server that is measured.
        late_ms: how far the publisher was behind its own time, at most.
        memory: bytes by which the server grew for each connection, over what it held when it was new.
        grown: bytes that the server's peak is above what it held with all clients connected.
        cut_off: slow clients whose connection the server closed.
    """

    work: Work
    received: Received
    wrong: int
    cpu_seconds: float
    seconds: float
    redis: int
    commands: float
    waited: float
    others: float
    late_ms: float
    memory: float = 0
    grown: int = 0
    cut_off: int = 0

    @property
    def micros(self) -> float:
        """CPU time a delivery, in microseconds."""
        return self.cpu_seconds * 1e6 / max(1, self.received.timed)

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.received.timed / self.seconds
