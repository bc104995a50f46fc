"""A worker's listener: `/metrics` for Prometheus, `/healthz` for whoever restarts what is stuck.

It is served by threads, so that a node that blocks the event loop doesn't silence it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socketserver
import threading
import time
from collections.abc import AsyncGenerator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET6
from typing import Any

import orjson
from redis.asyncio import Redis

from events.background import stop
from events.connect import RedisError
from events.errors import SettingsError
from events.loopback import is_loopback
from events.metrics import LOG_UP
from events.scraping import Admitted, ScraperToken, exposition
from events.settings import Settings

log = logging.getLogger(__name__)

LOOP_SECONDS = 300.0
"""A worker whose event loop hasn't turned for so long isn't alive. Nodes may block it, but hardly as long."""

REDIS_SECONDS = 300.0
"""Nor is one that hasn't heard of Redis for so long. Shorter outages are ridden out."""

BEAT_SECONDS = 1.0
CLIENT_SECONDS = 5.0
"""What a client may take for its request."""

_ANSWERS = {Admitted.NO: HTTPStatus.UNAUTHORIZED, Admitted.NOBODY: HTTPStatus.NOT_FOUND}


class Health:
    """Whether the worker's event loop turns, and Redis answers it.

    Args:
        redis: who is asked for a sign of life.
        loop_seconds, redis_seconds: how long either may be silent.
    """

    def __init__(
        self, redis: Redis, loop_seconds: float = LOOP_SECONDS, redis_seconds: float = REDIS_SECONDS
    ) -> None:
        self._redis = redis
        self._loop_seconds = loop_seconds
        self._redis_seconds = redis_seconds
        self._turned_at = self._heard_at = time.monotonic()

    async def run(self) -> None:
        """Feel the pulse until cancelled."""
        while True:
            self._turned_at = time.monotonic()
            try:
                await self._redis.ping()
                self._heard_at = time.monotonic()
                LOG_UP.set(1)
            except (RedisError, OSError):
                LOG_UP.set(0)
            await asyncio.sleep(BEAT_SECONDS)

    def report(self) -> tuple[bool, bytes]:
        """Whether it is well, and how long ago either was heard, as JSON."""
        now = time.monotonic()
        turned, heard = now - self._turned_at, now - self._heard_at
        well = turned < self._loop_seconds and heard < self._redis_seconds
        ago = {"loop_turned_seconds_ago": round(turned, 1), "redis_heard_seconds_ago": round(heard, 1)}
        return well, orjson.dumps({"status": "alive" if well else "stuck", **ago})


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS
    server: Listener  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:  # http.server's name for it
        path = self.path.partition("?")[0]
        if path == "/healthz":
            well, body = self.server.health.report()
            self._answer(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, body, "application/json")
        elif path == "/metrics":
            self._answer_metrics()
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def version_string(self) -> str:
        return "taskreel"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name for it
        """Nothing: what clients ask for is no news."""

    def _answer_metrics(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")
        if not self.server.token.needed and not is_loopback((host[0] or host[2]).strip("[]")):
            return self._refuse(HTTPStatus.MISDIRECTED_REQUEST)  # a foreign page's, by DNS rebinding
        admitted = self.server.token.admit(self.headers.get_all("Authorization", []))
        if admitted is Admitted.YES:
            return self._answer(HTTPStatus.OK, *exposition(self.headers.get("Accept", "")))
        return self._refuse(_ANSWERS[admitted])

    def _refuse(self, status: HTTPStatus) -> None:
        self._answer(status, f"{status.phrase}\n".encode(), "text/plain; charset=utf-8")

    def _answer(self, status: HTTPStatus, body: bytes, media_type: str) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Bearer realm="taskreel"')
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Listener(socketserver.ThreadingTCPServer):
    """Answers scrapers and probes.

    Args:
        host, port: where.
        token: who may read the metrics.
        health: of the worker.

    Raises:
        OSError: it can't listen there.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, token: ScraperToken, health: Health) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        super().__init__((host, port), _Handler)
        self.token = token
        self.health = health

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away early, or takes too long, is no news."""
        log.debug("a scraper or a probe went away", exc_info=True)


@contextlib.asynccontextmanager
async def listening(settings: Settings, redis: Redis) -> AsyncGenerator[None]:
    """Answer scrapers and probes while the context lasts, if a port is set.

    Raises:
        SettingsError: the port is taken, or there is no such address.
    """
    if settings.metrics_port is None:
        yield
        return
    token, health = ScraperToken(settings, settings.metrics_host), Health(redis)
    try:
        listener = Listener(settings.metrics_host, settings.metrics_port, token, health)
    except OSError as error:
        where = f"TASKREEL_METRICS_PORT={settings.metrics_port} on {settings.metrics_host}"
        reason = error.strerror or str(error)
        raise SettingsError(f"{where} can't be listened on: {reason}. Free it, or set another one") from None
    token.announce()
    beating = asyncio.create_task(health.run(), name="health")
    threading.Thread(target=listener.serve_forever, args=[0.05], name="metrics", daemon=True).start()
    try:
        yield
    finally:
        await stop([beating])
        listener.shutdown()
        listener.server_close()
