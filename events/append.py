"""Appending: plain XADDs with explicit ids, by one courier for each server that has logs.

On a Cluster a log's server may change: when another one is given its slot, or takes over from one that has
failed. Then all that is known of its writer's newest entries moves to the courier of that server at once, in
its order: a newer entry before an older one would be taken for another attempt's. A server that is away holds
up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from events import batches, metrics
from events.background import stop
from events.cargo import Parcel
from events.connect import patiently
from events.courier import Courier
from events.durability import OFF, Durability
from events.keys import Keys
from events.log import Claim
from events.model import SUBMITTED_ID, EventType
from events.redaction import USUAL, Redactor
from events.routes import routes
from events.writer import AttemptWriter, Write

log = logging.getLogger(__name__)


class Appender:
    """One per process: brings what all its writers append to the servers that have their logs.

    Args:
        redis: a client of the logs' servers.
        keys: where logs are.
        redactor: takes secrets out of what is appended.
        durability: what milestones wait for.

    Attributes:
        keys, durability: the same.
        routes: which server has which log.
    """

    def __init__(
        self, redis: Redis, keys: Keys, redactor: Redactor = USUAL, durability: Durability = OFF
    ) -> None:
        self.keys = keys
        self.durability = durability
        self.routes = routes(redis)
        self._redis: Any = redis
        self._redactor = redactor
        self._couriers: dict[Redis, Courier] = {}
        self._announcing: set[asyncio.Task[None]] = set()

    def writer(self, claim: Claim, size: int = 0) -> AttemptWriter:
        """The writer of a claimed attempt on a log that has `size` bytes of documents; called in the loop."""
        courier = self._courier(self.routes.node(self.keys.log(claim.task_id)))
        writer = AttemptWriter(courier, claim, size, self._redactor)
        first = Write(writer, bytes(SUBMITTED_ID), EventType.TASK_SUBMITTED, claim.submitted)
        started = Write(writer, bytes(claim.started), EventType.ATTEMPT_STARTED, claim.document)
        courier.adopt(Parcel(writer, [first, started]), asking=False)
        return writer

    def move(self, parcel: Parcel, node: Redis, *, asking: bool) -> None:
        """Hand a writer to the courier of the server that has its log now, or is being given it."""
        self._courier(node).adopt(parcel, asking=asking)

    def restored(self, claims: Sequence[Claim]) -> None:
        """List tasks again whose logs had lost their ends, and make them due: the end may have come back."""
        metrics.RESTORED_LOGS.inc(len(claims))
        task = asyncio.create_task(self._announce(claims), name="announce-restored", context=Context())
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)

    async def close(self) -> None:
        """Stop sending. Entries not yet acknowledged may or may not be in the log."""
        await stop(self._announcing)
        for courier in self._couriers.values():
            await courier.close()

    def _courier(self, node: Redis) -> Courier:
        if node not in self._couriers:
            self._couriers[node] = Courier(node, self)
        return self._couriers[node]

    async def _announce(self, claims: Sequence[Claim]) -> None:
        for command in batches.announcing(self.keys, claims):
            try:
                await patiently(lambda command=command: self._redis.execute_command(*command))
            except ResponseError as error:
                log.warning("a restored task cannot be listed again: %s", error)
