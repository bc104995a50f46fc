"""Putting right, on a connection that is new to a writer, what its server lacks of what was acknowledged.

A server that has restarted, or a replica that has taken over, may lack the newest entries; one that has been
given a slot has them all. A look at the log's end tells which it is; only then is anything sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from events import batches
from events.errors import Fenced
from events.keys import Keys
from events.servers.connections import exchange
from events.transaction import ASKING
from events.wire import Command
from events.writer import AttemptWriter, Write


class Remembered(NamedTuple):
    """What is known of a writer's newest entries.

    Attributes:
        writer: whose they are.
        acknowledged: what some server has had, oldest first.
        doubtful: what was sent after that, and nobody knows whether it was written.
        asking: whether the server is only being given the log.
    """

    writer: AttemptWriter
    acknowledged: Sequence[Write]
    doubtful: Sequence[Write]
    asking: bool

    @property
    def writes(self) -> list[Write]:
        """All of them."""
        return [*self.acknowledged, *self.doubtful]


async def put_right(
    connection: Any, keys: Keys, remembered: Sequence[Remembered], *, look: bool
) -> list[bool | RedisError | Fenced]:
    """Have the server hold all acknowledged entries, and perhaps doubtful ones.

    Args:
        connection: of redis-py's, to that server.
        keys: where logs are.
        remembered: of each writer.
        look: leave out what a look at the log's end shows to be there; else all is written again, so that the
            connection has written it.

    Returns:
        For each whether entries had been lost, or why it couldn't be done: fenced, or refused by the server.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: nobody knows what was done.
    """
    lacking = await _lacking(connection, keys, remembered) if look else list(remembered)
    commands = [(it.asking, batches.restoring(keys, it.writer.claim, it.writes)) for it in lacking]
    outcomes = dict[AttemptWriter, bool | RedisError | Fenced]()
    for it, reply in zip(lacking, await ask(connection, commands), strict=True):
        outcomes[it.writer] = _outcome(it, reply)
    return [outcomes.get(it.writer, False) for it in remembered]


async def _lacking(connection: Any, keys: Keys, remembered: Sequence[Remembered]) -> list[Remembered]:
    commands = [(it.asking, batches.looking(keys, it.writer.claim)) for it in remembered]
    ends = zip(remembered, await ask(connection, commands), strict=True)
    return [it for it, end in ends if not _is_there(it, end)]


def _is_there(it: Remembered, end: Any) -> bool:
    """Whether the log ends with the last acknowledged entry, or with a doubtful one after it."""
    if isinstance(end, Exception) or not end:
        return False
    raw_id, fields = end[0]
    last = [*it.acknowledged[-1:], *it.doubtful]
    return any(write.raw_id == raw_id and write.document == fields[3] for write in last)


def _outcome(it: Remembered, reply: Any) -> bool | RedisError | Fenced:
    if isinstance(reply, RedisError):
        return reply
    return Fenced(Fenced.__doc__) if reply < 0 else reply > len(it.doubtful)


async def ask(connection: Any, commands: Sequence[tuple[bool, Command]]) -> list[Any]:
    """The reply to each command, an error in its place; before those that ask, ASKING."""
    sent = [it for asking, command in commands for it in ((ASKING, command) if asking else (command,))]
    if not sent:
        return []
    replies = zip(sent, await exchange(connection, sent), strict=True)
    return [reply for command, reply in replies if command is not ASKING]
