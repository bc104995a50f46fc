"""Appending: plain XADDs with explicit ids, gathered while the last write was under way.

An idle appender writes at once; a busy one writes what has gathered meanwhile in one MULTI/EXEC, for all
tasks of the process together. So batching comes by itself and costs a lone event nothing. MULTI makes a batch
land whole or not at all, even if the connection breaks in the middle of it or memory runs out half-way: no
entry can be missing before one that is there.

A write whose reply was lost is sent again. Redis refuses the ids it has, and a look at the first refused id
tells which: it's there, so it was ours and is done; or it isn't, so a newer attempt has opened.

A Redis that restarts may have lost its last second, claims among it. So entries are remembered until they
must be on its disk, and what comes first on a new connection puts them back: no entry can follow a loss
unseen. WAITAOF would tell when they are there, but from Redis 7.4 on, and in Valkey, it answers before an
everysec disk has anything (https://github.com/redis/redis/issues/13793). So time has to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from events import scripts
from events.background import stop
from events.connect import AWAY, UNSAFE_SECONDS, patiently, sibling
from events.errors import Fenced
from events.keys import Keys
from events.log import Claim
from events.model import SUBMITTED_ID, EventType, now_ms
from events.transaction import Command, execute
from events.unconfirmed import Unconfirmed
from events.writer import AttemptWriter, Write

log = logging.getLogger(__name__)

MAX_BATCH = 500
MAX_BATCH_BYTES = 1024 * 1024
"""One write's most: large enough that the round trip vanishes, small enough that readers see it soon."""

LOOK_SECONDS = 0.25
"""How often the connection is looked at while something is unsafe and nothing is written."""


class Appender:
    """One per process: sends what all its writers append, in order, through one connection of its own.

    Args:
        redis: a client of the log's server.
        keys: where logs are.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis: Any = sibling(redis, self._restore)
        self._keys = keys
        self._queue: deque[Write] = deque()
        self._sent: Sequence[Write] = ()
        self._unconfirmed = Unconfirmed()
        self._wake = asyncio.Event()
        self._unsafe = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def writer(self, claim: Claim, size: int = 0) -> AttemptWriter:
        """The writer of a claimed attempt on a log that holds `size` bytes of documents already."""
        writer = AttemptWriter(self._put, claim, size)
        first = Write(writer, bytes(SUBMITTED_ID), EventType.TASK_SUBMITTED, claim.submitted)
        started = Write(writer, bytes(claim.started), EventType.ATTEMPT_STARTED, claim.document)
        self._unconfirmed.add([first, started])
        return writer

    async def close(self) -> None:
        """Stop sending. Entries not yet acknowledged may or may not be in the log."""
        await stop(self._tasks)
        await self._redis.aclose()

    def _put(self, write: Write) -> None:
        self._queue.append(write)
        self._wake.set()
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(), name="appender"),
                asyncio.create_task(self._watch(), name="appender-watch"),
            ]

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._write(self._take())

    async def _watch(self) -> None:
        """As long as Redis may lose something, see that the connection is the one it was written on."""
        while True:
            await self._unsafe.wait()
            while self._unconfirmed:
                looked = time.monotonic()
                with contextlib.suppress(*AWAY):
                    await self._redis.ping()
                    self._unconfirmed.confirm(looked - UNSAFE_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
            self._unsafe.clear()

    def _take(self) -> list[Write]:
        batch, size = list[Write](), 0
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            write = self._queue.popleft()
            if write.writer.fenced:
                continue
            batch.append(write)
            size += len(write.document)
        return batch

    async def _write(self, batch: list[Write]) -> None:
        written = list[Write]()
        for write, result in zip(batch, await self._send(batch), strict=True):
            if isinstance(result, ResponseError) and "equal or smaller" in str(result):
                result = await self._was_written(write)
            if not isinstance(result, Exception):
                written.append(write)
            write.writer.wrote(len(write.document), result)
        self._sent = ()
        self._unconfirmed.add(written)
        self._unsafe.set()

    async def _send(self, batch: list[Write]) -> list[Any]:
        """The reply to each entry of a batch; sends it until there is one."""
        try:
            return await patiently(lambda: self._execute(batch))
        except ResponseError as error:  # such as NOPERM: Redis takes nothing of the batch, now or later
            return [error] * len(batch)

    async def _execute(self, batch: list[Write]) -> list[Any]:
        pool = self._redis.connection_pool
        connection = await pool.get_connection()  # from here on it is known who is fenced
        try:
            allowed = [not write.writer.fenced for write in batch]
            self._sent = list(compress(batch, allowed))
            replies = iter(await execute(connection, self._commands(self._sent)) if self._sent else ())
        finally:
            await pool.release(connection)
        return [next(replies) if its else Fenced(Fenced.__doc__) for its in allowed]

    def _commands(self, writes: Sequence[Write]) -> list[Command]:
        """An XADD for each, then one bell a task."""
        commands, rung = list[Command](), dict[str, bytes]()
        for writer, raw_id, kind, document in writes:
            task_id = writer.claim.task_id
            commands.append(("XADD", self._keys.log(task_id), raw_id, "type", kind, "event", document))
            rung[task_id] = raw_id
        commands += [("PUBLISH", self._keys.bell(task_id), last) for task_id, last in rung.items()]
        return commands

    async def _was_written(self, write: Write) -> bytes | Fenced:
        key, own = self._keys.log(write.writer.claim.task_id), write.raw_id
        found = await patiently(lambda: self._redis.xrange(key, own, own))
        return found[0][0] if found else Fenced(Fenced.__doc__)

    async def _restore(self, connection: Any) -> None:
        """Put back what Redis lost of what it has acknowledged, before anything else is written.

        An attempt that isn't the newest any more is fenced; what it has on its way isn't sent then.
        """
        live = [write for write in self._sent if not write.writer.fenced]
        written = self._unconfirmed.by_writer(live)
        if written:
            await self._restore_all(connection, written)

    async def _restore_all(self, connection: Any, written: Mapping[AttemptWriter, Sequence[Write]]) -> None:
        commands = [self._restoring(writer.claim, writes) for writer, writes in written.items()]
        await connection.send_packed_command(connection.pack_commands(commands))
        counts: dict[AttemptWriter, int] = {writer: await connection.read_response() for writer in written}
        fenced = {writer for writer, count in counts.items() if count < 0}
        sent = Counter(write.writer for write in self._sent)
        lost = [writer for writer, count in counts.items() if count > sent[writer]]
        self._unconfirmed.restored(lost=bool(lost), fenced=fenced)
        for writer in fenced:
            writer.fail(Fenced(Fenced.__doc__))
        await self._tell_others(connection, lost)

    def _restoring(self, claim: Claim, writes: Sequence[Write]) -> tuple[str | bytes, ...]:
        task_id, name = claim.task_id, self._keys
        keys = (name.log(task_id), name.task(task_id), name.lease(task_id), name.tombstone(task_id))
        about = (claim.owner, str(claim.started.attempt), name.bell(task_id))
        record = (str(len(claim.record)), *claim.record)
        entries = [part for write in writes for part in (write.raw_id, write.kind, write.document)]
        return ("EVAL", scripts.RESTORE, str(len(keys)), *keys, *about, *record, *entries)

    async def _tell_others(self, connection: Any, restored: Sequence[AttemptWriter]) -> None:
        """List the tasks again, and have a sweeper look at them: a terminal event may have been put back."""
        if not restored:
            return
        log.warning("Redis had lost the ends of %d logs; they were put back", len(restored))
        tasks = [writer.claim.task_id for writer in restored]
        listed = [part for task_id in tasks for part in ("0", task_id)]
        overdue = [part for task_id in tasks for part in (str(now_ms()), task_id)]
        commands = [("ZADD", self._keys.index, *listed), ("ZADD", self._keys.deadlines, *overdue)]
        await connection.send_packed_command(connection.pack_commands(commands))
        for _ in commands:
            await connection.read_response()
