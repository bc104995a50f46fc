"""Who may hold a connection to the pod when there are more than it can carry.

With as many connections as the pod takes streams, each further one gets one answer and is closed after it.
With as many as it can carry at all, a newcomer takes the place of whoever has kept the pod waiting for a
request for longest, or is turned away unheard: a broken connection, after which an EventSource comes back.

uvicorn's own `limit_concurrency` would answer everybody with a 503, on which an EventSource gives up for
good. Without a cap, whoever connects and says nothing takes the open files that Redis needs.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import time
from typing import Any, cast

from api import metrics
from api.connection import Connection
from api.edge.heads import request_timeout
from api.edge.hosts import Hosts
from api.edge.limits import Limits, RequestLimits
from api.edge.strict import StrictProtocol
from api.edge.timeouts import Timeouts

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""How long a client may take for its request, or between two, before a newcomer may have its place."""

LINGER_SECONDS = 2.0
"""What a client that was refused has to read why."""

_WARNING_SECONDS = 60.0
_CLOSE = (b"connection", b"close")


class Admission:
    """What a server's connections have in common.

    Args:
        limits: how many there may be.
        requests: what each of their requests may take.
        hosts: the names that requests may be for; None for any.
        patience: seconds that a connection without a request is safe for.

    Attributes:
        limits: how many there may be.
        turned_away: how many clients found no place.
        draining: the pod is going away, so each connection ends with its next answer.
        heads: who owes the head of a request.
        bodies: who owes the rest of one.
        lingering: who was refused.
    """

    def __init__(
        self,
        limits: Limits,
        requests: RequestLimits | None = None,
        hosts: Hosts | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.limits = limits
        self.requests = requests or RequestLimits()
        self.hosts = hosts
        self.turned_away = 0
        self.draining = False
        self.heads = Timeouts(self.requests.header_seconds, AdmittedProtocol.head_is_late)
        self.bodies = Timeouts(self.requests.body_seconds, AdmittedProtocol.body_is_late)
        self.lingering = Timeouts(LINGER_SECONDS, AdmittedProtocol.cut_off)
        self._patience = patience
        self._waiting: dict[AdmittedProtocol, float] = {}
        self._warned_at = -math.inf

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn makes for each connection."""
        return cast("type[asyncio.Protocol]", functools.partial(AdmittedProtocol, self))

    def admits(self, open_connections: int) -> bool:
        """Whether a newcomer may stay, who is counted already."""
        if open_connections <= self.limits.connections or self._make_room():
            return True
        self.turned_away += 1
        metrics.REFUSED_CONNECTIONS.inc()
        if time.monotonic() - self._warned_at > _WARNING_SECONDS:
            self._warned_at = time.monotonic()
            log.warning("all %d connections are taken; newcomers are turned away", self.limits.connections)
        return False

    def waits(self, protocol: AdmittedProtocol) -> None:
        """A connection has nothing to do until its client says more."""
        self._waiting.pop(protocol, None)
        self._waiting[protocol] = time.monotonic()

    def works(self, protocol: AdmittedProtocol) -> None:
        """A connection has a request to answer, or is none any more."""
        self._waiting.pop(protocol, None)

    def _make_room(self) -> bool:
        longest = next(iter(self._waiting), None)
        if longest is None or time.monotonic() - self._waiting[longest] < self._patience:
            return False
        del self._waiting[longest]
        longest.transport.abort()
        metrics.EVICTED_CONNECTIONS.inc()
        return True


class AdmittedProtocol(StrictProtocol):
    """HTTP/1.1 on a connection that has to be admitted first, and whose client has to make haste."""

    def __init__(self, admission: Admission, **options: Any) -> None:
        super().__init__(admission.requests, admission.hosts, **options)
        self._admission = admission
        self._clock: Timeouts[AdmittedProtocol] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stay if there's a place."""
        super().connection_made(transport)
        if self._admission.admits(len(self.connections)):
            self._admission.waits(self)
            self._run(self._admission.heads)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._admission.works(self)
        self._run(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whatever the client owes next, it has so much time for."""
        super().data_received(data)
        if self.parser is None:
            return
        if self.in_body and self.cycle is self.running:
            self._run(self._admission.bodies)
        else:
            self._run(None if self.answering else self._admission.heads)

    def on_headers_complete(self) -> None:
        """Announce the end of the connection with its answer, if there are many, or the pod is going away."""
        super().on_headers_complete()
        if self._admission.draining or len(self.connections) > self._admission.limits.streams:
            self.cycle.default_headers = [*self.cycle.default_headers, _CLOSE]

    def on_message_complete(self) -> None:
        """It's the pod's turn."""
        super().on_message_complete()
        if not self.cycle.response_complete:
            self._admission.works(self)

    def on_response_complete(self) -> None:
        """It's the client's turn."""
        super().on_response_complete()
        if not (self.transport.is_closing() or self.pipeline):
            self._admission.waits(self)
        if self.in_head and not self.answering:
            self._run(self._admission.heads)

    def hand_over(self, connection: Connection) -> bool:
        """Leave the socket to a stream, even if the client owes a part of its request."""
        self._admission.works(self)
        self._run(None)
        return super().hand_over(connection)

    def lingers(self) -> None:
        """It's the client's turn, once more."""
        self._admission.waits(self)
        self._run(self._admission.lingering)

    def head_is_late(self) -> None:
        """Say so to a client that has begun a request; another has nothing to be told."""
        if self.in_head:
            self.refuse(request_timeout())
        else:
            self.transport.close()

    def body_is_late(self) -> None:
        """Say so, unless the answer doesn't need the rest."""
        self.refuse(request_timeout())

    def cut_off(self) -> None:
        """The client has had its time to read."""
        self.transport.abort()

    def _run(self, clock: Timeouts[AdmittedProtocol] | None) -> None:
        """Have one clock run for this connection; one that runs already goes on."""
        if clock is self._clock:
            return
        if self._clock is not None:
            self._clock.stop(self)
        self._clock = clock
        if clock is not None:
            clock.start(self)
