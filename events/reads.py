"""Reads: what many followed logs of one server have new, asked for at once, on one connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from events import metrics
from events.keys import Keys
from events.log import decode
from events.model import Entry, EventId
from events.position import PAGE
from events.routes import Routes
from events.servers.history import history_of
from events.wire import Command, Wire

TIMEOUT_SECONDS = 5.0
"""How long a reply may take; no command here blocks."""

LOST = "the connection to Redis is lost"

Found = tuple[dict[str, list[Entry]], dict[str, Exception]]
"""What tasks have new, and why the server won't tell of others."""


class Reads:
    """One reader's connection; it asks one question at a time.

    Args:
        node: where to connect to; nothing is taken from its pool.
        routes: tells which logs one command may read.
        keys: where logs are.
        lost: called when the connection is lost.

    Attributes:
        history: the same object for as long as no other history can have taken the place of what was read.
    """

    def __init__(self, node: Redis, routes: Routes, keys: Keys, lost: Callable[[], None]) -> None:
        self.history = object()
        self._node = node
        self._routes = routes
        self._keys = keys
        self._lost = lost
        self._wire: Wire | None = None
        self._replication = b""
        self._due = 0
        self._replies: list[Any] = []
        self._answer: asyncio.Future[list[Any]] | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection is up, as far as is known."""
        return self._wire is not None and self._wire.open

    async def open(self) -> None:
        """Connect, unless it is connected.

        Raises:
            redis.exceptions.RedisError, OSError: it can't, or the server isn't a primary.
        """
        if self.connected:
            return
        await self.close()
        self._wire = Wire(self._node, self._hear, self._break)
        await self._wire.connect()
        self._replication = b""
        await self.look()
        self.history = object()

    async def look(self) -> None:
        """See whether the server has had another one's history put in its place, and is a primary still.

        Some failovers break no connection of ours: one behind a proxy, or a primary that was demoted and then
        promoted again.

        Raises:
            redis.exceptions.RedisError, OSError: it couldn't be seen, or the server isn't a primary.
        """
        await self._routes.confirm()
        (told,) = await self._ask([("INFO", "replication")])
        if isinstance(told, Exception):
            return  # it isn't allowed
        replication = history_of(told)
        if replication is None:
            await self.close()
            raise RedisConnectionError("the server is a replica now")
        if self._replication not in (b"", replication):
            self.history = object()
        self._replication = replication

    async def after(self, positions: Mapping[str, EventId], count: int = PAGE) -> Found:
        """What each of several tasks has after its position; those with nothing new are left out.

        Raises:
            redis.exceptions.RedisError, OSError: nothing could be read; the connection is closed.
        """
        groups: dict[int, dict[str, str]] = {}
        for task_id in positions:
            name = self._keys.log(task_id)
            groups.setdefault(self._routes.slot(name), {})[name] = task_id
        commands: list[Command] = []
        for names in groups.values():
            ids = [bytes(positions[task_id]) for task_id in names.values()]
            commands.append(("XREAD", "COUNT", str(count), "STREAMS", *names, *ids))
        found, refused = dict[str, list[Entry]](), dict[str, Exception]()
        for names, reply in zip(groups.values(), await self._ask(commands), strict=True):
            if isinstance(reply, Exception):
                refused.update(dict.fromkeys(names.values(), reply))
            else:
                found.update((names[name.decode()], decode(raw)) for name, raw in reply or ())
        metrics.read(found)
        return found, refused

    async def close(self) -> None:
        """Close the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each command; an error stands in the place of one that was refused."""
        if self._wire is None or not self._wire.open:
            raise RedisConnectionError(LOST)
        self._replies, self._due = [], len(commands)
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.send_all(commands)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._answer
        except TimeoutError:
            await self.close()
            raise RedisTimeoutError("no reply from Redis") from None
        except BaseException:
            await self.close()
            raise

    def _hear(self, reply: Any) -> None:
        self._replies.append(reply)
        if len(self._replies) == self._due and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._replies)

    def _break(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RedisConnectionError(LOST))
        self._lost()
