"""Several commands at once on a Cluster: each goes where its key is, and the replies come back in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from redis.asyncio import ConnectionPool as AsyncPool
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ClusterCrossSlotError, RedisError

from events.servers.connections import exchange
from events.servers.persistence import MISSED, TRIES, pause, persist
from events.servers.pool import borrowed
from events.servers.slots import is_for_all, slot_of_command
from events.servers.topology import Redirect, Topology
from events.transaction import ASKING, Transaction, execute

Command = tuple[tuple[Any, ...], dict[str, Any]]
"""Its words, and options of redis-py's for its reply."""


async def answer(callbacks: Mapping[Any, Any], command: Command, reply: Any) -> Any:
    """What redis-py makes of a reply."""
    (name, *_), options = command
    if isinstance(reply, Exception) or name not in callbacks:
        return reply
    return callbacks[name](reply, **{key: value for key, value in options.items() if key != "keys"})


class ClusterPipeline(Pipeline):
    """Commands that are sent together.

    In a transaction all commands have keys of the same slot. Without one they may be anywhere; then only the
    commands of one slot are executed in their order, and that only if none is refused while its slot moves.

    Args:
        redis: the Cluster's client.
        topology: who knows which node has which slot.
        transaction: whether all is done at once, or nothing.
    """

    def __init__(self, redis: Redis, topology: Topology, transaction: bool) -> None:
        pool = cast("AsyncPool", redis.connection_pool)
        super().__init__(pool, redis.response_callbacks, transaction, None)
        self._topology = topology

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Have one more command; no WATCH, for the connection is chosen later, and nothing for all nodes."""
        if args[0] == "WATCH" or is_for_all(args):
            raise RedisError(f"a Cluster's pipeline can't hold {args[0]}")
        return self.pipeline_execute_command(*args, **options)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Execute all, and forget them.

        Args:
            raise_on_error: whether the first error is raised; else each stands in the place of its reply.
                Unlike in redis-py's pipeline, a lost connection's does too, since other nodes did their part.
        """
        commands, self.command_stack = cast("list[Command]", self.command_stack), []
        if not commands:
            return []
        slots = [slot_of_command(words) for words, _ in commands]
        words = [words for words, _ in commands]
        replies = await (self._together(words, slots) if self.is_transaction else self._apart(words, slots))
        failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if failed is not None and raise_on_error:
            raise failed
        pairs = zip(commands, replies, strict=True)
        return [await answer(self.response_callbacks, command, reply) for command, reply in pairs]

    async def _together(self, commands: Sequence[Any], slots: Iterable[int | None]) -> list[Any]:
        needed = set(slots)
        if len(needed) > 1 or None in needed:
            # With a PUBLISH in it, Valkey 9.1 executes one also where a slot's keys have moved away from.
            raise ClusterCrossSlotError(
                "the commands of a transaction must all have keys, and those one slot"
            )

        async def transact(node: Redis, asking: bool) -> list[Any]:
            async with borrowed(node) as connection:
                (outcome,) = await execute(connection, [Transaction(commands, asking=asking)])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return await persist(self._topology, needed.pop() or 0, transact)

    async def _apart(self, commands: Sequence[Any], slots: Sequence[int | None]) -> list[Any]:
        await self._topology.ready()
        any_slot = next((slot for slot in slots if slot is not None), 0)
        replies: list[Any] = [None] * len(commands)
        places: dict[int, Redirect | None] = dict.fromkeys(range(len(commands)))
        for tried in range(1, TRIES + 1):
            groups: dict[Redirect, list[int]] = {}
            for at, redirect in places.items():
                slot = slots[at]
                node = self._topology.node_of_slot(any_slot if slot is None else slot)
                groups.setdefault(redirect or Redirect(node, asking=False), []).append(at)
            await asyncio.gather(*(self._send(*group, commands, replies) for group in groups.items()))
            missed = [at for at in places if isinstance(replies[at], MISSED)]
            if not missed or tried == TRIES:
                break
            redirects = await asyncio.gather(*(self._topology.heed(replies[at]) for at in missed))
            places = dict(zip(missed, redirects, strict=True))
            await pause(tried, redirected=None not in redirects)
        return replies

    async def _send(
        self, place: Redirect, ats: Sequence[int], commands: Sequence[Any], replies: list[Any]
    ) -> None:
        """Put the replies to some commands of one node's, or why there are none, where they belong."""
        before = [ASKING] if place.asking else []
        sent = [words for at in ats for words in (*before, commands[at])]
        try:
            async with borrowed(place.node) as connection:
                found = (await exchange(connection, sent))[len(before) :: len(before) + 1]
        except (RedisError, OSError) as error:
            self._topology.suspect(error)
            found = [error] * len(ats)
        for at, reply in zip(ats, found, strict=True):
            replies[at] = reply
