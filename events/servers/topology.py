"""Which node of a Cluster has which slot, as far as is known; it's learnt from what goes wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakSet, WeakValueDictionary

from redis.asyncio import Redis
from redis.exceptions import AskError, MovedError, RedisError, TryAgainError

from events.servers.connections import HEARD, leave
from events.servers.inquiry import Inquiry
from events.servers.pool import FairPool, client
from events.servers.refusals import UNKNOWN
from events.servers.slots import SLOTS, owners, slot_of
from events.servers.urls import Address

_chance = random.Random()
"""Our own: others may want to see what the global one gives next."""

REFRESH_SECONDS = 0.25
"""The shortest time between two looks at the whole map."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a node has sent a command.

    Attributes:
        node: the client of the node that should have it.
        asking: whether ASKING must precede it there (before MULTI, if it is a transaction), since the slot is
            on its way; the next command for that slot goes to the slot's owner again.
    """

    node: Redis
    asking: bool


class Topology:
    """The map of a Cluster, and a client for each of its primaries.

    It is also the `Finder` of connections for which any primary will do.

    Args:
        addresses: of some nodes.
        options: of redis-py's connection to one of them.
        pooled: of the pool of such connections that each node's client has.
    """

    def __init__(
        self, addresses: Sequence[Address], options: Mapping[str, Any], pooled: Mapping[str, Any]
    ) -> None:
        self._seeds = _chance.sample(addresses, len(addresses))
        self._inquiry = Inquiry(self._seeds, {**options, "redis_connect_func": None})
        kind = HEARD[options["connection_class"]]
        self._options = {**options, **pooled, "connection_class": kind}
        self._owners: list[Address | None] = [None] * SLOTS
        self._clients: dict[Address, Redis] = {}
        self._others: WeakValueDictionary[Address, Redis] = WeakValueDictionary()
        self._anywhere: WeakSet[Any] = WeakSet()
        self._version = 0
        self._refreshing: asyncio.Task[None] | None = None
        self._next_refresh = 0.0
        self._trouble: Exception | None = None

    @property
    def version(self) -> int:
        """Grows whenever another server has some slot; 0 as long as nothing is known."""
        return self._version

    def slot(self, key: str) -> int:
        """The slot of a key."""
        return slot_of(key)

    def node(self, key: str) -> Redis:
        """The client of the node that has the key's slot now, as far as is known."""
        return self.node_of_slot(slot_of(key))

    def node_of_slot(self, slot: int) -> Redis:
        """The same for a slot; of one that nobody is known to have, any node, which knows or says so."""
        return self._client(self._owners[slot] or self._inquiry.addresses[0])

    def nodes(self) -> Sequence[Redis]:
        """The clients of all primaries that have slots."""
        return tuple(self._clients.values()) or (self._client(self._inquiry.addresses[0]),)

    def serves(self, connection: Any, key: str) -> bool:
        """Whether the node at the other end of a connection of redis-py's has the key's slot."""
        return self._owners[slot_of(key)] == (connection.host, connection.port)

    async def ready(self) -> None:
        """See that the map is known.

        Raises:
            redis.exceptions.RedisError: none of the nodes can tell.
        """
        if not self._version:
            await asyncio.shield(self.refresh())
        if not self._version and self._trouble is not None:
            raise self._trouble

    async def confirm(self) -> None:
        """Nothing: a node that was replaced says so by itself, once it hears of the others again."""

    async def heed(self, error: Exception) -> Redirect | None:
        """Learn from what went wrong; has the map looked at anew if that's called for.

        Args:
            error: what a command raised, or the reply to it.

        Returns:
            Where a command goes that was answered with MOVED or ASK; None for all other errors.
        """
        if isinstance(error, AskError) and error.host not in ("", "?"):
            address: Address = cast("Any", error).node_addr
            if isinstance(error, MovedError):
                self._learn(error.slot_id, address)
                self.refresh()  # it won't be the only slot that has moved
            return Redirect(self._client(address), asking=not isinstance(error, MovedError))
        if not isinstance(error, TryAgainError):
            await asyncio.shield(self.refresh())
        return None

    def suspect(self, error: Exception) -> None:
        """Have the map looked at anew, meanwhile, if a node wasn't reached."""
        if isinstance(error, UNKNOWN):
            self.refresh()

    def refresh(self) -> asyncio.Task[None]:
        """Look at the map anew, soon; never fails."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="cluster-map")
        return self._refreshing

    async def find(self) -> Address:
        """Some primary, the same one until a connection to it fails; any seed as long as nothing is known.

        Raises:
            redis.exceptions.RedisError: none of the nodes can tell.
        """
        await self.ready()
        known = (address for address in self._inquiry.addresses if address in self._clients)
        return next(known, self._inquiry.addresses[0])

    async def check(self, connection: Any) -> None:
        """Remember a connection, to close it when its node has no slots any more."""
        self._anywhere.add(connection)

    def failed(self, address: Address) -> None:
        """Try another one next time."""
        self._inquiry.put_last(address)
        self.refresh()

    async def close(self) -> None:
        """Close all nodes' clients."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])
        for node in (*self._clients.values(), *self._others.values()):
            await node.aclose()

    async def _refresh(self) -> None:
        await asyncio.sleep(self._next_refresh - time.monotonic())
        try:
            found = await self._inquiry.ask(("CLUSTER", "SLOTS"), owners)
        except (RedisError, OSError) as error:
            self._trouble = error
        else:
            self._trouble = None
            await self._adopt(found)
        finally:
            self._next_refresh = time.monotonic() + REFRESH_SECONDS

    async def _adopt(self, found: list[Address | None]) -> None:
        """Take a map as true, and close what it has no use for."""
        self._version += found != self._owners
        self._owners = found
        primaries = dict.fromkeys(filter(None, found))
        for address in primaries:
            self._enlist(address)
        known = [address for address in self._inquiry.addresses if address in primaries]
        new = primaries.keys() - set(known)
        self._inquiry.addresses = deque(
            dict.fromkeys([*known, *_chance.sample([*new], len(new)), *self._seeds])
        )
        for address in self._clients.keys() - primaries:
            gone = self._others[address] = self._clients.pop(address)
            await cast("FairPool", gone.connection_pool).retire()
        leave(self._anywhere, self._clients)

    def _learn(self, slot: int, address: Address) -> None:
        if self._owners[slot] != address:
            self._owners[slot] = address
            self._version += 1
            self._enlist(address)

    def _enlist(self, address: Address) -> None:
        """Have a primary's client; it keeps its connections from now on."""
        self._clients[address] = self._client(address)
        self._others.pop(address, None)
        cast("FairPool", self._clients[address].connection_pool).retired = False

    def _client(self, address: Address) -> Redis:
        """A node's client; the same one as long as it's a primary, or somebody holds it."""
        found = self._clients.get(address) or self._others.get(address)
        if found is None:
            host, port = address
            pool = FairPool(**self._options, host=host, port=port)
            pool.retired = True
            found = self._others[address] = client(pool)
        return found
