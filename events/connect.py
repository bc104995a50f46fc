"""Connections to Redis or Valkey, set up the one way that suits a log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError

from events.servers.cluster import ClusterRedis
from events.servers.connections import FOUND, HEARD
from events.servers.inquiry import Inquiry
from events.servers.pool import FairPool, client
from events.servers.refusals import AWAY, NOT_THERE, Parser
from events.servers.sentinel import Primary
from events.servers.urls import Kind, Servers, parse

UNSAFE_SECONDS = 5.0
"""For how long a write that was acknowledged may not be on Redis's disk.

With `appendfsync everysec` that is a second; at a slow disk two, then Redis has its writers wait
(https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/).
"""

__all__ = [
    "AWAY", "NOT_THERE", "UNSAFE_SECONDS", "OutOfMemoryError", "RedisError",
    "connect", "patiently", "sibling",
]  # fmt: skip

T = TypeVar("T")


Connected = Callable[[Any], Awaitable[None]]
"""Called with each new connection before its first command; the connection speaks redis-py's protocol."""


def connect(
    url: str, *, connections: int = 4, timeout: float = 5, connected: Connected | None = None
) -> Redis:
    """A client whose stream reads come back raw, and whose connections are few.

    Callers beyond `connections` wait for their turn: a command takes well under a millisecond, a connection
    kilobytes at both ends, and a pod must not open one for each of its clients.

    Args:
        url: of a server, of sentinels or of a Cluster (`events.servers.urls.FORMS`); TLS takes ssl_ca_certs,
            ssl_certfile and ssl_keyfile as parameters.
        connections: the most it opens, to each server of a Cluster's.
        timeout: seconds that a connect or a reply may take. No command of ours blocks.
        connected: puts right on a new connection what the loss of an old one may have meant. On a Cluster it
            is called for each node's (`Routes.serves` tells what is there), not for those to any node.

    Raises:
        ValueError: it isn't a URL of Redis.
    """
    servers = parse(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),  # who may send a command twice knows it, and does
        "health_check_interval": 0,
        "lib_name": None,  # CLIENT SETINFO is of Redis 7.2, and an older one takes no ACL that names it
        "lib_version": None,
        "parser_class": Parser,
        "redis_connect_func": None if connected is None else _greeting(connected),
    }
    pooled = {"max_connections": connections, "timeout": timeout}
    if servers.kind is Kind.CLUSTER:
        return ClusterRedis(servers.addresses, {**options, **servers.options}, pooled)
    return client(FairPool(**{**pooled, **options, **_where(servers, options)}))


def _where(servers: Servers, options: dict[str, Any]) -> dict[str, Any]:
    """Which server a connection goes to, as options of its."""
    kind = servers.options["connection_class"]
    if servers.kind is Kind.SINGLE:
        return {**servers.options, "connection_class": HEARD[kind]}
    asking = {**options, **servers.sentinel_options, "redis_connect_func": None}
    finder = Primary(Inquiry(servers.addresses, asking), servers.service)
    return {**servers.options, "connection_class": FOUND[kind], "finder": finder}


def sibling(redis: Redis, connected: Connected | None = None) -> Redis:
    """Another client of the same server, with one connection of its own; of a Cluster's, to any primary."""
    pool: Any = redis.connection_pool
    options: dict[str, Any] = {
        **pool.connection_kwargs,
        "connection_class": pool.connection_class,
        "max_connections": 1,
        "timeout": pool.timeout,
        "redis_connect_func": None if connected is None else _greeting(connected),
    }
    return client(FairPool(**options))


async def patiently(ask: Callable[[], Awaitable[T]], despite: tuple[type[Exception], ...] = AWAY) -> T:
    """Ask until Redis answers, however long it's away; what is asked must do no harm when it's done twice."""
    delay = 0.01
    while True:
        try:
            return await ask()
        except despite:
            await asyncio.sleep(delay)
            delay = min(delay * 2, 0.5)


def _greeting(connected: Connected) -> Callable[[Any], Awaitable[None]]:
    async def greet(connection: Any) -> None:
        try:
            await connection.on_connect()
            await connected(connection)
        except BaseException:
            await connection.disconnect(nowait=True)  # else it would be used as it is
            raise

    return greet
