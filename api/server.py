"""Serving a pod with uvicorn, and how it goes away.

SIGTERM or SIGINT first makes the pod not ready; it serves on for a while, in which a load balancer notices.
Then every stream gets the time to come back at and ends, and what is left of the requests may finish.
uvicorn by itself closes its listening socket at the signal, so nobody could be told before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from types import FrameType

import uvicorn

from api.admission import Admission
from api.app import Entrance, create_app
from api.limits import prepare
from api.streams import Streams
from events.settings import Settings

LINGER_SECONDS = 2.0
"""What slow clients have to read their last words, once the streams have ended."""

CANCEL_SECONDS = 1.0
"""What the application then has to notice that its clients are gone."""

SAME_SIGNAL_SECONDS = 0.5
"""`timeout`, and a shell's Ctrl-C, may send the same signal twice."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Run a pod until a signal ends it.

    Raises:
        SystemExit: it can't start, such as when the port is taken.
    """
    limits = prepare(settings.max_streams)
    app = create_app(settings.model_copy(update={"max_streams": limits.streams}))
    config = _config(app, host, port, Admission(limits))
    with contextlib.suppress(KeyboardInterrupt):
        PodServer(config, app.pod.streams, settings.pod_drain_seconds).run()


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
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=round(LINGER_SECONDS + CANCEL_SECONDS),
    )


class PodServer(uvicorn.Server):
    """uvicorn's server, with a drain before its shutdown.

    Args:
        config: of uvicorn.
        streams: the pod's, which end before anything else does.
        drain_seconds: from the signal to their end.
    """

    def __init__(self, config: uvicorn.Config, streams: Streams, drain_seconds: float) -> None:
        super().__init__(config)
        self._streams = streams
        self._drain_seconds = drain_seconds
        self._asked: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; end at once at a second one."""
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            self._streams.draining = True
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
        """End the streams, then what else is under way, then the application."""
        self._streams.drain()
        linger = 0 if self.force_exit else LINGER_SECONDS
        asyncio.get_running_loop().call_later(linger, self._cut_off)
        await super().shutdown(sockets)

    def _cut_off(self) -> None:
        """A full socket takes no farewell, and closing it would wait for the client to read."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
