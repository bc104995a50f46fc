"""Preflight: whether the Redis that the settings name is fit for a log, before a process relies on it.

Of a Cluster all primaries are looked at, for each has its own users and its own memory. What isn't fit ends
the process with one line; a Redis that is away doesn't. Then the process begins, waits as it always does, and
Redis is looked at when it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from redis.exceptions import (
    AuthenticationError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from events.connect import connect
from events.durability import Level
from events.errors import SettingsError
from events.keys import Keys
from events.loopback import is_loopback
from events.routes import routes
from events.servers.urls import Kind, Servers, parse
from events.settings import Settings

log = logging.getLogger(__name__)

Command = tuple[str, str, *tuple[str, ...]]

OLDEST_MAJOR = 7
"""Of Redis, whose version Valkey tells as well; older ones know no scripts that may go beyond maxmemory."""

TIMEOUT_SECONDS = 5.0
AGAIN_SECONDS = 1.0

_MEND = "give it what deploy/redis/users.acl has for this process"

Process = Literal["api", "worker"]


def check(settings: Settings, process: Process) -> None:
    """Look at Redis now, or if it is away, from a thread once it is there; then a fault ends the process.

    Raises:
        SettingsError: it can't be used as it is. One line tells what is wrong, and what to do.
    """
    for variable in plain_passwords(settings):
        log.warning("%s sends its password over the network in the clear; use rediss://", variable)
    away = asyncio.run(_look(settings, process))
    if away is None:
        return
    log.warning("Redis can't be reached yet (%s); it is looked at when it comes", away)
    arguments = (settings, process)
    threading.Thread(target=_check_later, args=arguments, name="preflight", daemon=True).start()


def _check_later(settings: Settings, process: Process) -> None:
    try:
        while asyncio.run(_look(settings, process)) is not None:
            time.sleep(AGAIN_SECONDS)
    except SettingsError as error:
        log.critical("%s", error)
        os.kill(os.getpid(), signal.SIGTERM)


async def _look(settings: Settings, process: Process) -> Exception | None:
    """Why nothing can be told, if Redis is away."""
    keys = Keys(settings.key_prefix)
    queue_url = settings.queue_url or settings.redis_url
    queue_variable = "TASKREEL_REDIS_URL" if settings.queue_url is None else "TASKREEL_QUEUE_URL"
    away = await _look_at(settings.redis_url, "TASKREEL_REDIS_URL", _probes(keys, process), settings)
    return away or await _look_at(queue_url, queue_variable, [("ZCARD", keys.queue(settings.pool))], None)


def _probes(keys: Keys, process: Process) -> list[Command]:
    """What the process does all the time, and changes nothing when it's done so."""
    common: list[Command] = [("EVAL", "return 1", "0"), ("PUBLISH", keys.sweep, "")]
    if process == "api":
        return [*common, ("HGET", keys.graphs, ""), ("ZADD", keys.deadlines, "XX", "0", "")]
    return [*common, ("HDEL", keys.graphs, ""), ("ZREM", keys.deadlines, ""), ("SCAN", "0", "COUNT", "1")]


async def _look_at(
    url: str, variable: str, probes: Sequence[Command], settings: Settings | None
) -> Exception | None:
    redis = connect(url, connections=1, timeout=TIMEOUT_SECONDS)
    ways = routes(redis)
    try:
        await ways.ready()
        if parse(url).kind is not Kind.CLUSTER:
            await _refuse_node_of_cluster(redis, variable)
        for server in ways.nodes():
            await _look_at_server(server, variable, probes, settings)
    except (RedisError, OSError) as error:
        _tell_what_stays(variable, error)
        return error
    finally:
        await redis.aclose()
    return None


async def _look_at_server(
    server: Any, variable: str, probes: Sequence[Command], settings: Settings | None
) -> None:
    for probe in probes:
        await _try(server, variable, probe)
    if settings is not None:
        await _check_server(server, variable, settings)
        await _check_durability(server, variable, settings)


def _tell_what_stays(variable: str, error: Exception) -> None:
    """Raise what no waiting would mend."""
    for cause in _causes(error):
        if isinstance(cause, AuthenticationError):
            raise SettingsError(
                f"{variable}: Redis doesn't let this user in, or not with this password; it says {cause}"
            ) from None
        if isinstance(cause, NoPermissionError):
            raise SettingsError(f"{variable}: its user is refused something: {cause}; {_MEND}") from None
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = (
                "name its authority by ssl_ca_certs=FILE in the URL, and the host as the certificate does"
            )
            raise SettingsError(
                f"{variable}: the server's certificate is refused: {error}; {detail}"
            ) from None
        if (fits := _scheme_that_fits(str(cause))) is not None:
            raise SettingsError(f"{variable}: {fits} (it says: {cause})") from None


def _scheme_that_fits(text: str) -> str | None:
    """What the URL should begin with, by what a server says that is of another kind."""
    if "cluster support disabled" in text:
        return "this server is no node of a Cluster; write redis:// in place of redis+cluster://"
    if "unknown command 'SENTINEL'" in text:
        return "this server is no sentinel; redis+sentinel:// takes the addresses of sentinels"
    if "unknown command 'EVAL'" in text:
        return "this server is a sentinel; write redis+sentinel://HOST:PORT/SERVICE"
    return None


async def _refuse_node_of_cluster(server: Any, variable: str) -> None:
    with contextlib.suppress(NoPermissionError):
        if (await server.info("cluster")).get("cluster_enabled"):
            raise SettingsError(
                f"{variable}: this server is a node of a Cluster, which has but a part of the keys; write"
                " redis+cluster://HOST:PORT"
            )


async def _try(server: Any, variable: str, probe: Command) -> None:
    try:
        await server.execute_command(*probe)
    except NoPermissionError as error:
        raise SettingsError(f"{variable}: its user may not {' '.join(probe[:2])}: {error}; {_MEND}") from None
    except (OutOfMemoryError, MovedError):
        pass  # it would be allowed, here or where the key is


async def _check_server(server: Any, variable: str, settings: Settings) -> None:
    try:
        info = await server.info()
    except NoPermissionError:
        log.warning("%s: its user may not INFO, so version and maxmemory-policy aren't checked", variable)
        return
    version = str(info.get("redis_version", "0"))
    if int(version.partition(".")[0]) < OLDEST_MAJOR:
        raise SettingsError(f"{variable}: this is Redis {version}; it takes Redis 7 or newer, or Valkey")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and not settings.allow_eviction:
        raise SettingsError(
            f"{variable}: its maxmemory-policy is {policy}, which may throw away the logs of running tasks;"
            " set noeviction there, or TASKREEL_ALLOW_EVICTION=true here"
        )


async def _check_durability(server: Any, variable: str, settings: Settings) -> None:
    """Whether milestones can wait for what they should.

    With everysec, WAITAOF says that all is on disk before anything is, from Redis 7.4 on and in Valkey
    (https://github.com/redis/redis/issues/13793).
    """
    if settings.durability is Level.REPLICA:
        await _try(server, variable, ("WAIT", "0", "1"))
        await _count_replicas(server, variable, settings.durability_replicas)
    if settings.durability is not Level.PRIMARY:
        return
    needs = f"{variable}: TASKREEL_DURABILITY=primary needs Redis 7.2 or newer or Valkey, with appendonly yes"
    try:
        await _try(server, variable, ("WAITAOF", "1", "0", "1"))
        fsync = (await server.config_get("appendfsync"))["appendfsync"]
    except NoPermissionError:
        log.warning(
            "%s: its user may not CONFIG GET, so it isn't checked that appendfsync is always", variable
        )
        return
    except ResponseError as error:
        raise SettingsError(f"{needs} and appendfsync always; this one says: {error}") from None
    if fsync != "always":
        raise SettingsError(
            f"{needs} and appendfsync always; here it is {fsync}, which loses what it confirms"
        )


async def _count_replicas(server: Any, variable: str, wanted: int) -> None:
    with contextlib.suppress(NoPermissionError):
        found = int((await server.info("replication")).get("connected_slaves", 0))
        if found < wanted:
            log.warning(
                "%s: %d of the %d replicas that milestones wait for are there; submits are refused, and tasks"
                " wait, until they come",
                variable, found, wanted,
            )  # fmt: skip


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def plain_passwords(settings: Settings) -> list[str]:
    """The settings whose password goes over a network in the clear."""
    urls = {"TASKREEL_REDIS_URL": settings.redis_url, "TASKREEL_QUEUE_URL": settings.queue_url}
    return [variable for variable, url in urls.items() if url and _is_plain(parse(url))]


def _is_plain(servers: Servers) -> bool:
    return servers.secret and not servers.tls and not all(map(is_loopback, servers.hosts))
