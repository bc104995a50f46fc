"""The journal: what the saver wrote of late, made again on a Redis that may have lost it.

With `appendfsync everysec` a Redis that restarts may have lost what it acknowledged in its last second. The
running graph goes on from memory and wouldn't notice, but a later takeover would find checkpoints whose
parents or values are missing. So the newest writes are made once more on each new connection, before anything
else is done there. Where nothing was lost that does no harm: a write made twice leaves what it left once, and
one whose attempt is over is refused by the fence.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from events.connect import AWAY, UNSAFE_SECONDS
from events.keys import CheckpointKeys
from events.routes import Routes
from worker.fence import GUARD_AGAIN, Fence

log = logging.getLogger(__name__)

Command = tuple[Any, ...]
"""A Redis command: its name, the one key that it touches, and the rest of its words."""

OUTAGE_SECONDS = 600.0
"""A Redis that was away for longer isn't put right: others may have used the threads, or deleted them."""

MAX_BYTES = 64 * 1024 * 1024
"""What a worker holds at most; older writes are forgotten first."""

BATCH_BYTES = 1024 * 1024
"""What is sent again before its replies are read."""

_OVERHEAD = 64
"""Bytes that a word of a command costs besides its own."""


@dataclass(frozen=True, slots=True)
class Write:
    """Commands that are executed together.

    Attributes:
        keys: of the thread.
        commands: each touches one key of the thread.
        fence: for which attempt; None: unguarded.
        fence_seconds: how long the fence stays.
        takes: take the thread from any other task, also a newer one.
    """

    keys: CheckpointKeys
    commands: tuple[Command, ...]
    fence: Fence | None
    fence_seconds: int
    takes: bool = False

    def arguments(self) -> list[Any]:
        """What follows the script in EVAL and EVALSHA."""
        keys = [self.keys.fence, *dict.fromkeys(command[1] for command in self.commands)]
        task_id, attempt = self.fence or ("", 0)
        words = [word for command in self.commands for word in (len(command), *command)]
        return [len(keys), *keys, task_id, attempt, "1" if self.takes else "", self.fence_seconds, *words]

    def size(self) -> int:
        """About how many bytes of memory it takes."""
        words = [word for command in self.commands for word in command]
        return sum(_OVERHEAD + (len(word) if isinstance(word, bytes | str) else 0) for word in words)


@dataclass(slots=True)
class _Entry:
    """A write, when it was first acknowledged and when last; monotonic seconds."""

    write: Write
    size: int
    first: float
    last: float


class Journal:
    """Remembers a worker's writes for as long as Redis may lose them."""

    def __init__(self) -> None:
        self._routes: Routes | None = None
        self._answered: dict[Redis | None, float] = {}
        self._entries: deque[_Entry] = deque()
        self._bytes = 0

    def follow(self, routes: Routes) -> None:
        """Look there from now on which server has which thread; else one has all of them."""
        self._routes = routes

    def add(self, write: Write) -> None:
        """Remember a write that Redis has acknowledged."""
        # By the time it's made again, a newer task may have the thread by right.
        write, size, now = replace(write, takes=False), write.size(), time.monotonic()
        self._entries.append(_Entry(write, size, now, now))
        self._bytes += size
        while self._bytes > MAX_BYTES:
            self._drop_oldest()

    def alive(self, names: Iterable[str]) -> None:
        """The servers that have those keys have just answered: what is old enough is on their disks."""
        now = time.monotonic()
        self._answered.update((self._server(name), now) for name in names)
        while self._entries:
            oldest = self._entries[0]
            if oldest.last >= self._answered.get(self._server(oldest.write.keys.fence), 0) - UNSAFE_SECONDS:
                break
            self._drop_oldest()
        if not self._entries:
            self._answered.clear()

    def forget(self, keys: CheckpointKeys) -> None:
        """Forget a thread that is deleted, lest it come back."""
        self._entries = deque(entry for entry in self._entries if entry.write.keys != keys)
        self._bytes = sum(entry.size for entry in self._entries)

    async def redo(self, connection: Any) -> None:
        """Make all remembered writes again that belong there, in order, on a new connection of redis-py's.

        What is refused since its attempt is over is passed over in silence.

        Raises:
            redis.exceptions.RedisError: Redis isn't there, or can't write for now. The connection must not be
                used then.
        """
        since = time.monotonic() - OUTAGE_SECONDS
        while self._entries and self._entries[0].first < since:
            self._drop_oldest()
        for batch in _batches([entry for entry in self._entries if self._belongs(entry, connection)]):
            packed = [
                connection.pack_command("EVAL", GUARD_AGAIN, *entry.write.arguments()) for entry in batch
            ]
            await connection.send_packed_command([part for parts in packed for part in parts])
            for entry in batch:
                await _read_reply(connection)
                entry.last = time.monotonic()

    def _server(self, name: str) -> Redis | None:
        return None if self._routes is None else self._routes.node(name)

    def _belongs(self, entry: _Entry, connection: Any) -> bool:
        return self._routes is None or self._routes.serves(connection, entry.write.keys.fence)

    def _drop_oldest(self) -> None:
        self._bytes -= self._entries.popleft().size


def _batches(entries: list[_Entry]) -> Iterator[list[_Entry]]:
    batch, size = list[_Entry](), 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _read_reply(connection: Any) -> None:
    try:
        await connection.read_response()
    except AWAY:
        raise
    except ResponseError as error:
        log.warning("a checkpoint's write could not be made again: %s", error)
