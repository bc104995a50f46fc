"""Serving a pod with uvicorn, and how it goes away.

SIGTERM or SIGINT first makes the pod not ready; it serves on for a while, in which a load balancer notices,
and connections of requests end with their answers. Then it takes no more connections, so that a proxy which
has not noticed goes elsewhere, and its streams end one after the other, each with the time to come back at.
Were they to end all at once, the other pods would have all of their clients at once, or each client would
have to wait longer. What is left of the requests may finish meanwhile. uvicorn by itself closes its listening
socket at the signal, so nobody could be told before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import socket
import time
from types import FrameType

import uvicorn

from api.app import Entrance, create_app
from api.auth.binding import check_binding
from api.connection import Connection
from api.edge.admission import Admission
from api.edge.hosts import LOOPBACK, PROBES, Hosts
from api.edge.limits import Limits, RequestLimits, prepare
from api.paths import METRICS_PATH
from api.streams import Streams
from events.settings import Auth, Settings

ENDS_PER_SECOND = 250
"""Streams that end in a second, so that a pod with few of them is gone at once.

Another pod takes some 2,500 a second on a core of its own (docs/performance.md).
"""

SPREAD_SECONDS = 5.0
"""In which all streams have ended, however many there are."""

LINGER_SECONDS = 2.0
"""What slow clients, whose streams end first, have to read their last words."""

LAST_LINGER_SECONDS = 0.5
"""What the last ones have at least."""

CANCEL_SECONDS = 1.0
"""What the application then has to notice that its clients are gone."""

_STEP_SECONDS = 0.02

SAME_SIGNAL_SECONDS = 0.5
"""`timeout`, and a shell's Ctrl-C, may send the same signal twice."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Run a pod until a signal ends it.

    Raises:
        SettingsError: what was set is wrong, or would let anybody in.
        SystemExit: it can't start, such as when the port is taken.
    """
    check_binding(settings.auth, host)
    limits = prepare(settings.max_streams)
    app = create_app(settings.model_copy(update={"max_streams": limits.streams}))
    admission = _admission(settings, limits, host)
    config = _config(app, host, port, admission)
    with contextlib.suppress(KeyboardInterrupt):
        PodServer(config, app.pod.streams, admission, settings.pod_drain_seconds).run()


def _admission(settings: Settings, limits: Limits, host: str) -> Admission:
    requests = RequestLimits(settings.max_header_bytes, settings.header_seconds, settings.body_seconds)
    return Admission(limits, requests, hosts_of(settings, host))


def hosts_of(settings: Settings, host: str) -> Hosts | None:
    """The names that a pod goes by, bound to a host; None for any.

    A pod that asks nobody who they are must not be talked to by pages of foreign sites, as DNS rebinding lets
    them; one that asks has credentials, which such a page hasn't.
    """
    # A scraper comes to an address, and no foreign page has its token.
    nameless = PROBES if settings.metrics_token is None else (*PROBES, METRICS_PATH.encode())
    if settings.hosts:
        return Hosts(settings.hosts, nameless)
    if settings.auth is not Auth.OFF:
        return None
    return Hosts([*LOOPBACK, f"[{host}]" if ":" in host else host], nameless)


def _config(app: Entrance, host: str, port: int, admission: Admission) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=admission.protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=round(LINGER_SECONDS + CANCEL_SECONDS),
    )


class PodServer(uvicorn.Server):
    """uvicorn's server, with a drain before its shutdown.

    Args:
        config: of uvicorn.
        streams: the pod's, which end before anything else does.
        admission: of its connections, which are told of the drain.
        drain_seconds: from the signal to the end of the first stream.
    """

    def __init__(
        self, config: uvicorn.Config, streams: Streams, admission: Admission, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self._streams = streams
        self._admission = admission
        self._drain_seconds = drain_seconds
        self._asked: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; end at once at a second one."""
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            self._streams.draining = self._admission.draining = True
        elif now - self._asked > SAME_SIGNAL_SECONDS:
            self.force_exit = True
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, with what was loaded until now out of the garbage collector's sight.

        It would go through all of that again and again, while the streams wait: 40 ms with 5,000 of them.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to shut down now."""
        if self._asked is not None and time.monotonic() >= self._asked + self._drain_seconds:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections; end the streams, then what else is under way, then the application."""
        began = time.monotonic()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if not isinstance(connection, Connection):
                connection.shutdown()
        await self._end_streams()
        linger = max(LAST_LINGER_SECONDS, LINGER_SECONDS - (time.monotonic() - began))
        asyncio.get_running_loop().call_later(0 if self.force_exit else linger, self._cut_off)
        await super().shutdown(sockets)

    async def _end_streams(self) -> None:
        """End them evenly over the time that so many take; all at once after a second signal."""
        going, ended, began = self._streams.going(), 0, time.monotonic()
        seconds = min(len(going) / ENDS_PER_SECOND, SPREAD_SECONDS)
        while ended < len(going) and not self.force_exit:
            due = math.ceil(len(going) * min(1, (time.monotonic() - began) / seconds))
            for connection in going[ended:due]:
                self._streams.dismiss(connection)
            ended = due
            await asyncio.sleep(_STEP_SECONDS)
        self._streams.drain()

    def _cut_off(self) -> None:
        """A full socket takes no farewell, and closing it would wait for the client to read."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
