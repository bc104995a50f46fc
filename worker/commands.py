"""Commands: what the saver asks of Redis, as patiently as it takes, and what it writes under the fence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from events.connect import patiently
from events.errors import Fenced
from events.keys import CheckpointKeys
from worker.fence import GUARD, Fence
from worker.journal import Command, Journal, Write

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
        redis: a plain client; redis-py 5's for a Cluster has no transactions.
        journal: where writes are remembered.
        fence_seconds: how long a thread's fence stays after its last write.
    """

    def __init__(self, redis: Redis, journal: Journal, fence_seconds: int) -> None:
        self._redis: Any = redis  # redis-py's annotations know of no bytes
        self._journal = journal
        self._fence_seconds = fence_seconds

    async def ask(self, *command: Any) -> Any:
        """The reply to one command."""
        return (await self.run([command]))[0]

    async def run(self, commands: Sequence[Command], *, together: bool = False) -> list[Any]:
        """The replies to commands, sent in one go; together: in a transaction."""

        async def ask() -> list[Any]:
            pipe = self._redis.pipeline(transaction=together)
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()

        replies = await patiently(ask)
        self._journal.alive()
        return replies

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
            reply = await self.ask("EVALSHA", _GUARD_SHA, *arguments)
        except NoScriptError:
            reply = await self.ask("EVAL", GUARD, *arguments)
        if reply is None:
            raise Fenced(Fenced.__doc__)
        self._journal.add(write)
        return reply
