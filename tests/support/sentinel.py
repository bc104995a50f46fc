"""A real primary with replicas and the Sentinels that watch it, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Generator, Sequence

from redis.exceptions import RedisError

from tests.support.server import HERE, Place, Server, server_binary, until

SERVICE = "taskreel"
QUORUM = 2
SETTLED_SECONDS = 40.0

OPTIONS = (
    "--repl-diskless-sync-delay",
    "0",
    "--repl-ping-replica-period",
    "1",
    "--enable-debug-command",
    "yes",
)

CONFIGURATION = f"""
sentinel monitor {SERVICE} {{host}} {{port}} {QUORUM}
sentinel down-after-milliseconds {SERVICE} 1000
sentinel failover-timeout {SERVICE} 3000
sentinel parallel-syncs {SERVICE} 5
"""
"""A failed failover is tried again after twice its time-out; the default is 180,000."""

PERIODS = ("INFO-PERIOD", 500, "PUBLISH-PERIOD", 500, "PING-PERIOD", 200)
"""How often, in milliseconds, a Sentinel looks around; a demoted primary is told after 10,000 by default."""

LOST = {b"s_down", b"o_down", b"disconnected"}


class Watched:
    """The servers, of which one is the primary, and their Sentinels.

    Coroutines wait without blocking the event loop; the plain questions block it for some milliseconds.

    Attributes:
        servers: the primary of the beginning, then the replicas.
        sentinels: who watches them.
    """

    def __init__(self, servers: Sequence[Server], sentinels: Sequence[Server]) -> None:
        self.servers = servers
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """Where it is, for TASKREEL_REDIS_URL and TASKREEL_QUEUE_URL."""
        who = f":{self.servers[0].password}@" if self.servers[0].password else ""
        addresses = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{who}{addresses}/{SERVICE}/0"

    def primary(self) -> Server:
        """The server that most of the Sentinels name; a dead one, until a replica has its place."""
        named = [self._named_by(sentinel) for sentinel in self.sentinels if sentinel.running]
        port = max(set(named), key=named.count)
        return next(server for server in self.servers if server.port == port)

    def primaries(self) -> list[Server]:
        """The same, as one of one."""
        return [self.primary()]

    def replicas(self) -> list[Server]:
        """The others, dead or alive."""
        return [server for server in self.servers if server is not self.primary()]

    def replicas_of(self, primary: Server) -> list[Server]:
        """The others, whoever leads."""
        return [server for server in self.servers if server is not primary]

    async def kill_primary(self) -> Server:
        """`kill -9` the primary; gives it. Its successor is still to be elected."""
        dead = self.primary()
        await asyncio.to_thread(dead.kill)
        return dead

    async def successor(self, dead: Server) -> Server:
        """Wait until all Sentinels name another server than the killed primary, and it leads; gives it."""
        await asyncio.to_thread(until, lambda: self._has_left(dead), SETTLED_SECONDS)
        return self.primary()

    async def switch(self) -> Server:
        """Have a replica take the living primary's place, as for its upgrade; gives the new one."""
        old = self.primary()
        await asyncio.to_thread(self.sentinels[0].call, "SENTINEL", "FAILOVER", SERVICE)
        new = await self.successor(old)
        await self.settled()
        return new

    async def restart(self, server: Server) -> None:
        """Start it again, and wait until it has its place; after a failover, as a replica."""
        await asyncio.to_thread(server.kill)
        server.start()
        await asyncio.to_thread(server.wait)
        await self.settled()

    async def settled(self) -> None:
        """Wait until the Sentinels agree on the primary, and know and see all servers and each other."""
        await asyncio.to_thread(self.settle)

    def settle(self) -> None:
        """The same, blocking."""
        until(self._is_settled, SETTLED_SECONDS)

    def _is_settled(self) -> bool:
        primary = self.primary()
        others = [server for server in self.servers if server.running and server is not primary]
        watching = [sentinel for sentinel in self.sentinels if sentinel.running]
        return (
            _leads(primary)
            and all(self._named_by(sentinel) == primary.port for sentinel in watching)
            and all(_follows(server, primary) for server in others)
            and all(_sees(sentinel, "REPLICAS") >= len(others) for sentinel in watching)
            and all(_sees(sentinel, "SENTINELS") >= len(watching) - 1 for sentinel in watching)
        )

    def _has_left(self, dead: Server) -> bool:
        named = {self._named_by(sentinel) for sentinel in self.sentinels if sentinel.running}
        return len(named) == 1 and dead.port not in named and _leads(self.primary())

    def _named_by(self, sentinel: Server) -> int:
        with contextlib.suppress(RedisError):
            return int(sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
        return 0


def _leads(server: Server) -> bool:
    return server.running and server.told("replication").get("role") == "master"


def _follows(server: Server, primary: Server) -> bool:
    told = server.told("replication")
    return told.get("master_port") == str(primary.port) and told.get("master_link_status") == "up"


def _sees(sentinel: Server, kind: str) -> int:
    """How many replicas or other Sentinels it takes as alive."""
    with contextlib.suppress(RedisError):
        found: list[list[bytes]] = sentinel.call("SENTINEL", kind, SERVICE)
        flags = [dict(zip(entry[::2], entry[1::2], strict=True))[b"flags"].split(b",") for entry in found]
        return sum(LOST.isdisjoint(flag) for flag in flags)
    return 0


@contextlib.contextmanager
def sentinel(
    replicas: int = 2,
    sentinels: int = 3,
    *options: str,
    server: str = "valkey",
    password: str = "",
    places: Sequence[Place] = (HERE,),
    watch: Place = HERE,
) -> Generator[Watched]:
    """A primary, its replicas and their Sentinels, without persistence unless the options say so.

    Args:
        replicas: how many.
        sentinels: how many; two must agree that the primary is down.
        options: of each server's command line, such as `"--appendonly", "yes"`.
        server: `valkey` or `redis`.
        password: of the servers' user `default`; none if empty. The Sentinels have none.
        places: where the servers run, in turn.
        watch: where the Sentinels do.
    """
    binary, login = server_binary(server), ("--requirepass", password, "--masterauth", password)
    words = [*OPTIONS, *(login if password else ()), *options]
    with contextlib.ExitStack() as stack:
        servers, watching, follow = list[Server](), list[Server](), list[str]()
        for _, place in zip(range(1 + replicas), itertools.cycle(places), strict=False):
            servers.append(Server(binary, [*words, *follow], password=password, place=place))
            stack.callback(servers[-1].close)
            follow = ["--replicaof", f"{servers[0].host} {servers[0].port}"]
        for _ in range(sentinels):
            watching.append(Server(binary, ["--sentinel"], file=_watch(servers[0]), place=watch))
            stack.callback(watching[-1].close)
            watching[-1].call("SENTINEL", "DEBUG", *PERIODS)
        (it := Watched(servers, watching)).settle()
        yield it


def _watch(primary: Server) -> str:
    login = f"sentinel auth-pass {SERVICE} {primary.password}\n" if primary.password else ""
    return CONFIGURATION.format(host=primary.host, port=primary.port) + login
