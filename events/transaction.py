"""One MULTI/EXEC as one buffer and one read.

redis-py's pipeline makes objects for each command, and waits for each reply under a time limit of its own;
more than half of what an event cost went there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redis.exceptions import RedisError

from events.connect import unbroken
from events.wire import Command, pack, parse_error

_MULTI = pack(("MULTI",))
_EXEC = pack(("EXEC",))


async def execute(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """Have commands executed together, or none of them.

    Args:
        connection: of redis-py's, and up. It is closed if its replies weren't all read.
        commands: at least one.

    Returns:
        The reply to each; the error of a command that failed by itself stands in its place.

    Raises:
        redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: nobody knows what was done.
        redis.exceptions.RedisError: nothing was done, and why.
    """
    await connection.send_packed_command(b"".join([_MULTI, *map(pack, commands), _EXEC]))
    return results(await _read(connection, len(commands) + 2))


def results(replies: Sequence[Any]) -> list[Any]:
    """What the replies to MULTI, to each queued command and to EXEC come to.

    Raises:
        redis.exceptions.RedisError: nothing was executed.
    """
    if isinstance(replies[-1], list):
        return cast("list[Any]", replies[-1])
    # The first error tells why; EXEC's own, which can be the only one (memory ran out meanwhile), wraps it.
    error = next(reply for reply in replies if isinstance(reply, RedisError))
    _, _, reason = str(error).partition("discarded because of: ")
    raise parse_error(reason) if reason else error


async def _read(connection: Any, count: int) -> list[Any]:
    parser = connection._parser
    async with unbroken(connection, "reading from Redis"):
        return [await parser.read_response() for _ in range(count)]
