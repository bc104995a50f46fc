"""Commands: what the saver asks of Redis, as patiently as it takes, and what it writes under the fence."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from events import milestones
from events.connect import patiently
from events.durability import OFF, PAUSE_SECONDS, Durability
from events.errors import Fenced
from events.keys import CheckpointKeys
from worker.fence import GUARD, Fence
from worker.journal import Command, Journal, Write

log = logging.getLogger(__name__)

WARN_SECONDS = 10.0
"""The shortest time between two warnings that writes wait for their copies."""

MAX_WORDS = 2000
"""In one command: Lua can pass some 8,000 on."""

_GUARD_SHA = hashlib.sha1(GUARD.encode()).hexdigest()


def split(head: Command, words: Sequence[Any]) -> Iterator[Command]:
    """A command with any number of words as several that a script can make; none for no words."""
    return ((*head, *words[at : at + MAX_WORDS]) for at in range(0, len(words), MAX_WORDS))


class Commands:
    """Executes commands as soon as Redis is there: none of the saver's does harm when it runs twice.

    A call waits for Redis for as long as it takes; it ends when it is cancelled.

    Args:
        redis: a client of the log's servers.
        journal: where writes are remembered.
        fence_seconds: how long a thread's fence stays after its last write.
        durability: what a write waits for.
    """

    def __init__(
        self, redis: Redis, journal: Journal, fence_seconds: int, durability: Durability = OFF
    ) -> None:
        self._redis: Any = redis  # redis-py's annotations know of no bytes
        self._journal = journal
        self._fence_seconds = fence_seconds
        self._durability = durability
        self._turn = asyncio.Semaphore()
        self._warned_at = -math.inf

    async def ask(self, *command: Any) -> Any:
        """The reply to one command."""
        return (await self.run([command]))[0]

    async def run(self, commands: Sequence[Command], *, together: bool = False) -> list[Any]:
        """The replies to commands, sent in one go; together: in a transaction, of one thread's keys."""

        async def ask() -> list[Any]:
            pipe = self._redis.pipeline(transaction=together)
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()

        replies = await patiently(ask)
        self._journal.alive(map(_key_of, commands))
        return replies

    async def names(self, pattern: str) -> list[str]:
        """The sorted sets whose names match. Redis is asked for all its keys."""

        async def ask() -> list[str]:
            found = self._redis.scan_iter(match=pattern, count=1000, _type="zset")
            return [name.decode() async for name in found]

        return await patiently(ask)

    async def write(self, keys: CheckpointKeys, commands: Sequence[Command], fence: Fence | None) -> Any:
        """Execute commands on a thread, all or none, and remember them. Gives the last one's reply.

        Raises:
            Fenced: a newer attempt has opened, or a newer task has the thread.
        """
        return await self._write(Write(keys, tuple(commands), fence, self._fence_seconds))

    async def take(self, keys: CheckpointKeys, fence: Fence) -> None:
        """Take a thread for an attempt, from older ones and from any other task.

        Raises:
            Fenced: a newer attempt has opened.
        """
        await self._write(Write(keys, (), fence, self._fence_seconds, takes=True))

    async def unlink(self, keys: CheckpointKeys, names: Sequence[str]) -> None:
        """Delete keys of a thread, for good."""
        self._journal.forget(keys)
        await self.ask("UNLINK", *names)

    async def _write(self, write: Write) -> Any:
        arguments = write.arguments()
        try:
            reply = await self._milestone("EVALSHA", _GUARD_SHA, *arguments)
        except NoScriptError:
            reply = await self._milestone("EVAL", GUARD, *arguments)
        if reply is None:
            raise Fenced(Fenced.__doc__)
        self._journal.add(write)
        return reply

    async def _milestone(self, *command: Any) -> Any:
        """The reply to a write, once there are enough copies of it; it's made again until there are.

        Those that wait take turns, for each holds a connection while Redis counts.
        """
        if not self._durability:
            return await self.ask(*command)
        reply, copied = await self._copied(command)
        while not copied and reply is not None:
            self._warn()
            await asyncio.sleep(PAUSE_SECONDS)
            async with self._turn:
                reply, copied = await self._copied(command)
        return reply

    async def _copied(self, command: Command) -> tuple[Any, bool]:
        key = str(command[3])
        found = await patiently(lambda: milestones.write(self._redis, key, command, self._durability))
        self._journal.alive([key])
        return found

    def _warn(self) -> None:
        if time.monotonic() >= self._warned_at + WARN_SECONDS:
            self._warned_at = time.monotonic()
            log.warning("checkpoints wait for %s", self._durability.wanted)


def _key_of(command: Command) -> str:
    return str(command[3 if command[0] in ("EVAL", "EVALSHA") else 1])
