"""MULTI/EXECs as one buffer and one read.

redis-py's pipeline makes objects for each command, and waits for each reply under a time limit of its own;
more than half of what an event cost went there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from redis.exceptions import RedisError

from events.servers.connections import unbroken
from events.servers.refusals import parse_error
from events.wire import Command, pack

ASKING: Command = ("ASKING",)
"""Has a server execute what comes next on a slot that it is being given (Redis Cluster's ASK)."""

_ASKING = pack(ASKING)
_MULTI = pack(("MULTI",))
_EXEC = pack(("EXEC",))


class Transaction(NamedTuple):
    """Commands that are executed together, or not at all.

    Attributes:
        commands: at least one; on a Cluster their keys are in one slot.
        after: what is executed after it, whatever has become of it; no reply to that is given.
        asking: whether the server doesn't have the slot yet, but is being given it.
    """

    commands: Sequence[Command]
    after: Sequence[Command] = ()
    asking: bool = False

    def packed(self) -> Iterator[bytes]:
        """What is sent."""
        if self.asking:
            yield _ASKING
        yield _MULTI
        yield from map(pack, self.commands)
        yield _EXEC
        yield from map(pack, self.after)


async def execute(connection: Any, transactions: Sequence[Transaction]) -> list[list[Any] | RedisError]:
    """Have transactions executed, each whatever becomes of the others.

    Args:
        connection: of redis-py's, and up. It is closed if its replies weren't all read.
        transactions: at least one.

    Returns:
        For each the reply to each of its commands, with the error of a command that failed by itself in its
        place; or why nothing of it was done.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: nobody knows what was done.
    """
    await connection.send_packed_command(b"".join([part for it in transactions for part in it.packed()]))
    parser, outcomes = connection._parser, list[Any]()
    async with unbroken(connection, "reading from Redis"):
        for commands, after, asking in transactions:
            replies = [await parser.read_response() for _ in range(asking + 1 + len(commands) + 1)]
            outcomes.append(results(replies))
            for _ in after:
                await parser.read_response()
    return outcomes


def results(replies: Sequence[Any]) -> list[Any] | RedisError:
    """What the replies to MULTI, to each queued command and to EXEC come to."""
    if isinstance(replies[-1], list):
        return cast("list[Any]", replies[-1])
    # The first error tells why; EXEC's own, which can be the only one (memory ran out meanwhile), wraps it.
    error = next(reply for reply in replies if isinstance(reply, RedisError))
    _, _, reason = str(error).partition("discarded because of: ")
    return cast("RedisError", parse_error(reason)) if reason else error
