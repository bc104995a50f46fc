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

from api.connection import Connection
from api.limits import Limits
from api.protocol import HttpProtocol

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""How long a client may take for its request, or between two, before a newcomer may have its place."""

_WARNING_SECONDS = 60.0
_CLOSE = (b"connection", b"close")


class Admission:
    """What a server's connections have in common.

    Args:
        limits: how many there may be.
        patience: seconds that a connection without a request is safe for.

    Attributes:
        limits: how many there may be.
        turned_away: how many clients found no place.
    """

    def __init__(self, limits: Limits, patience: float = PATIENCE_SECONDS) -> None:
        self.limits = limits
        self.turned_away = 0
        self._patience = patience
        self._waiting: dict[HttpProtocol, float] = {}
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
        if time.monotonic() - self._warned_at > _WARNING_SECONDS:
            self._warned_at = time.monotonic()
            log.warning("all %d connections are taken; newcomers are turned away", self.limits.connections)
        return False

    def waits(self, protocol: HttpProtocol) -> None:
        """A connection has nothing to do until its client says more."""
        self._waiting.pop(protocol, None)
        self._waiting[protocol] = time.monotonic()

    def works(self, protocol: HttpProtocol) -> None:
        """A connection has a request to answer, or is none any more."""
        self._waiting.pop(protocol, None)

    def _make_room(self) -> bool:
        longest = next(iter(self._waiting), None)
        if longest is None or time.monotonic() - self._waiting[longest] < self._patience:
            return False
        del self._waiting[longest]
        longest.transport.abort()
        return True


class AdmittedProtocol(HttpProtocol):
    """HTTP/1.1 on a connection that has to be admitted first."""

    def __init__(self, admission: Admission, **options: Any) -> None:
        super().__init__(**options)
        self._admission = admission

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stay if there's a place."""
        super().connection_made(transport)
        if self._admission.admits(len(self.connections)):
            self._admission.waits(self)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._admission.works(self)
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """Announce the end of the connection with its answer, if there are many."""
        super().on_headers_complete()
        if len(self.connections) > self._admission.limits.streams:
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

    def hand_over(self, connection: Connection) -> bool:
        """Leave the socket to a stream, even if the client owes a part of its request."""
        self._admission.works(self)
        return super().hand_over(connection)
