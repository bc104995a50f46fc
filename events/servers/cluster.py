"""A client of a whole Cluster: commands go to the node that has their key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError

from events.servers.connections import FOUND, exchange
from events.servers.persistence import persist
from events.servers.pipeline import ClusterPipeline, answer
from events.servers.pool import FairPool, borrowed, prepared
from events.servers.slots import is_for_all, slot_of_command
from events.servers.topology import Topology
from events.servers.urls import Address
from events.transaction import ASKING


class ClusterRedis(Redis):
    """Used as a client of a single server is; whose keys are in different slots, a command can't have.

    Its own connections, from which `Wire`s are made too, go to any primary, and to another one if that goes.
    What a node refuses is sent again, to the right one; what may have been done isn't.

    Args:
        addresses: of some of its nodes.
        options: of redis-py's connection to one of them.
        pooled: of the pool of such connections that each node's client has.

    Attributes:
        topology: which node has which slot.
    """

    def __init__(
        self, addresses: Sequence[Address], options: Mapping[str, Any], pooled: Mapping[str, Any]
    ) -> None:
        self.topology = Topology(addresses, options, pooled)
        kind = FOUND[options["connection_class"]]
        anywhere = {**options, **pooled, "connection_class": kind, "finder": self.topology}
        super().__init__(connection_pool=FairPool(**{**anywhere, "redis_connect_func": None}))
        self.auto_close_connection_pool = True
        prepared(self)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command where its first key is; without one anywhere, or everywhere."""
        slot = slot_of_command(args)
        if slot is not None:
            return await persist(
                self.topology, slot, lambda node, asking: self._at(node, asking, args, options)
            )
        if is_for_all(args):
            return await self._everywhere(args, options)
        return cast("Any", await super().execute_command(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands to be sent together; in a transaction, all keys must have the same slot."""
        del shard_hint
        return ClusterPipeline(self, self.topology, transaction)

    def register_script(self, script: Any) -> AsyncScript:
        """A script to be called; it's sent to a node that doesn't know it."""
        return RoutedScript(self, script)

    async def scan_iter(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        """The names of keys, one node after the other."""
        await self.topology.ready()
        for node in self.topology.nodes():
            async for name in cast("AsyncIterator[Any]", node.scan_iter(*args, **options)):
                yield name

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        await super().aclose(close_connection_pool)
        await self.topology.close()

    async def _at(self, node: Redis, asking: bool, args: Sequence[Any], options: dict[str, Any]) -> Any:
        if not asking:
            return cast("Any", await node.execute_command(*args, **options))
        async with borrowed(node) as connection:
            _, reply = await exchange(connection, [ASKING, args])
        if isinstance(reply, Exception):
            raise reply
        return await answer(self.response_callbacks, (tuple(args), options), reply)

    async def _everywhere(self, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """What all primaries say: names together, numbers added, and the first one's word for all else."""
        await self.topology.ready()
        nodes: list[Any] = [*self.topology.nodes()]
        asked = (node.execute_command(*args, **options) for node in nodes)
        replies: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        if args[0] == "KEYS":
            return [name for names in replies for name in names]
        return sum(replies) if args[0] == "DBSIZE" else replies[0]


class RoutedScript(AsyncScript):
    """A script that goes where its first key is.

    redis-py loads a script that isn't known on all nodes; one that is away would hold up the others' tasks.
    """

    async def __call__(
        self,
        keys: Sequence[Any] | None = None,
        args: Iterable[Any] | None = None,
        client: Redis | None = None,
    ) -> Any:
        """Execute it."""
        redis: Any = self.registered_client if client is None else client
        words = (len(keys or ()), *(keys or ()), *(args or ()))
        if isinstance(client, Pipeline):
            return redis.eval(self.script, *words)
        try:
            return await redis.evalsha(self.sha, *words)
        except NoScriptError:
            return await redis.eval(self.script, *words)
