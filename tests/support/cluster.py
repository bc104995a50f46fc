"""A real Cluster of Valkeys or Redises on loopback: killed, failed over and resharded as operators do it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Generator, Sequence

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.node import Node
from tests.support.server import HERE, Place, server_binary, until

SLOTS = 16384
SETTLED_SECONDS = 40.0
KEYS_AT_ONCE = 100
MIGRATE_MS = 5000


class Cluster:
    """The nodes of a Cluster; the first ones were the primaries at the beginning.

    Coroutines wait without blocking the event loop; the plain questions block it for some milliseconds.

    Attributes:
        nodes: all of them.
    """

    def __init__(self, nodes: Sequence[Node], primaries: int) -> None:
        self.nodes = nodes
        self._shards = [nodes[first::primaries] for first in range(primaries)]

    @property
    def url(self) -> str:
        """Where it is, for TASKREEL_REDIS_URL."""
        return self._url("redis", [node.address for node in self.nodes])

    @property
    def tls_url(self) -> str:
        """Where it is for clients that speak TLS."""
        return self._url("rediss", [f"{node.host}:{node.tls_port}" for node in self.nodes])

    def _url(self, scheme: str, addresses: Sequence[str]) -> str:
        who = f":{self.nodes[0].password}@" if self.nodes[0].password else ""
        return f"{scheme}+cluster://{who}{','.join(addresses)}"

    def slot(self, key: str) -> int:
        """The slot of a key."""
        return key_slot(key.encode())

    def owner_of(self, key: str) -> Node:
        """The primary that serves the key."""
        return self.owner(self.slot(key))

    def owner(self, slot: int) -> Node:
        """The primary that serves the slot; a dead one, until its replica has its place."""
        lines = [line for node in self.nodes for line in node.view()]
        claims = [line for line in lines if any(slot in served for served in line.slots)]
        newest = max(claims, key=lambda line: line.epoch)
        return next(node for node in self.nodes if node.name == newest.name)

    def primaries(self) -> list[Node]:
        """The nodes that serve slots, or would if they lived; one a shard."""
        return [self._primary(shard) for shard in self._shards]

    def replicas_of(self, primary: Node) -> list[Node]:
        """The others of its shard, dead or alive."""
        return [node for node in self._shard(primary) if node is not primary]

    async def kill(self, node: Node) -> None:
        """`kill -9`."""
        await asyncio.to_thread(node.kill)

    async def restart(self, node: Node) -> None:
        """Start it again, and wait until it has its place; after a failover, as a replica."""
        await asyncio.to_thread(node.kill)
        node.start()
        await asyncio.to_thread(node.wait)
        await self.settled()

    async def successor(self, dead: Node) -> Node:
        """Wait until another node serves what a killed primary served; gives it."""
        others = self.replicas_of(dead)
        await asyncio.to_thread(until, lambda: any(map(_leads, others)), SETTLED_SECONDS)
        return next(node for node in others if _leads(node))

    async def failover(self, primary: Node) -> Node:
        """Have a replica take a living primary's place, as for its upgrade; gives the new one."""
        chosen = self.replicas_of(primary)[0]
        await asyncio.to_thread(chosen.call, "CLUSTER", "FAILOVER")
        await self.successor(primary)
        await self.settled()
        return chosen

    async def settled(self) -> None:
        """Wait until all slots are served, all nodes agree on by whom, and all replicas follow."""
        await asyncio.to_thread(self.settle)

    def settle(self) -> None:
        """The same, blocking."""
        until(self._is_settled, SETTLED_SECONDS)

    async def migrate_slot(self, slot: int, to: Node, *, atomic: bool = False) -> None:
        """Move a slot with its keys to another primary; returns once all nodes know.

        Args:
            slot: of 0 to 16383.
            to: a primary that doesn't serve it.
            atomic: in one go, as Valkey 9 can, and not key by key.
        """
        if atomic:
            await asyncio.to_thread(self._migrate_at_once, slot, to)
        else:
            await self.begin_migration(slot, to)
            await self.move_keys(slot, to)
            await self.end_migration(slot, to)
        await self.settled()

    async def begin_migration(self, slot: int, to: Node) -> None:
        """Mark the slot as on its way: for keys that aren't at its owner any more, that one says ASK."""
        source = self.owner(slot)
        await asyncio.to_thread(to.call, "CLUSTER", "SETSLOT", slot, "IMPORTING", source.name)
        await asyncio.to_thread(source.call, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.name)

    async def move_keys(self, slot: int, to: Node) -> None:
        """Move the keys of a slot that is on its way, until its owner has none."""
        await asyncio.to_thread(self._move_keys, slot, to)

    async def end_migration(self, slot: int, to: Node) -> None:
        """Give the slot to the new owner: the old one says MOVED from now on."""
        others = [node for node in self.primaries() if node is not to]
        for node in [to, *others]:
            await asyncio.to_thread(node.call, "CLUSTER", "SETSLOT", slot, "NODE", to.name)

    def _move_keys(self, slot: int, to: Node) -> None:
        source = self.owner(slot)
        login = ["AUTH", to.password] if to.password else []
        while names := source.call("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE):
            source.call("MIGRATE", to.host, to.port, "", 0, MIGRATE_MS, *login, "KEYS", *names)

    def _migrate_at_once(self, slot: int, to: Node) -> None:
        source = self.owner(slot)
        source.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", to.name)
        until(lambda: self.owner(slot) is to, SETTLED_SECONDS)

    def _shard(self, node: Node) -> Sequence[Node]:
        return next(shard for shard in self._shards if node in shard)

    def _primary(self, shard: Sequence[Node]) -> Node:
        lines = [line for node in self.nodes for line in node.view()]
        names = {node.name: node for node in shard}
        claims = [line for line in lines if line.name in names and "master" in line.flags]
        return names[max(claims, key=lambda line: line.epoch).name]

    def _is_settled(self) -> bool:
        living = [node for node in self.nodes if node.running]
        views = [_owners(node) for node in living]
        followers = [node for node in living if not _leads(node)]
        return (
            all(len(node.view()) == len(self.nodes) for node in living)
            and all(view == views[0] for view in views)
            and all(map(_is_served, living))
            and all(node.told("replication").get("master_link_status") == "up" for node in followers)
        )


def _leads(node: Node) -> bool:
    return node.running and node.told("replication").get("role") == "master"


def _is_served(node: Node) -> bool:
    """Whether it takes the slots as served."""
    with contextlib.suppress(RedisError):
        return "cluster_state:ok" in node.call("CLUSTER", "INFO").decode()
    return False


def _owners(node: Node) -> dict[str, tuple[range, ...]]:
    """Who serves what, as a node sees it."""
    return {line.name: line.slots for line in node.view() if line.slots and "fail" not in line.flags}


@contextlib.contextmanager
def cluster(
    primaries: int = 3,
    replicas: int = 3,
    *options: str,
    server: str = "valkey",
    password: str = "",
    places: Sequence[Place] = (HERE,),
) -> Generator[Cluster]:
    """A Cluster that serves all slots, in equal parts, without persistence unless the options say so.

    Args:
        primaries: how many; at least three, or nobody can be elected.
        replicas: how many in all; the first is the first primary's, and so on in turn.
        options: of each node's command line, such as `"--appendonly", "yes"`.
        server: `valkey` or `redis`.
        password: of the user `default`; none if empty.
        places: where the nodes run, in turn.
    """
    with contextlib.ExitStack() as stack:
        nodes: list[Node] = []
        for _, place in zip(range(primaries + replicas), itertools.cycle(places), strict=False):
            node = Node(server_binary(server), options, password, place)
            stack.callback(node.close)
            nodes.append(node)
        _form(nodes, primaries)
        (it := Cluster(nodes, primaries)).settle()
        yield it


def _form(nodes: Sequence[Node], primaries: int) -> None:
    """Give out the slots, acquaint the nodes with each other, and attach the replicas."""
    bounds = [SLOTS * number // primaries for number in range(primaries + 1)]
    for number, node in enumerate(nodes[:primaries]):
        node.call("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in nodes[1:]:
        nodes[0].call("CLUSTER", "MEET", node.host, node.port, node.bus)
    known = {node.name for node in nodes}
    until(lambda: all({line.name for line in node.view()} == known for node in nodes), SETTLED_SECONDS)
    for number, node in enumerate(nodes[primaries:]):
        node.call("CLUSTER", "REPLICATE", nodes[number % primaries].name)
