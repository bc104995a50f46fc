"""One MULTI/EXEC as one buffer and one read.

redis-py's pipeline makes objects for each command, and waits for each reply under a time limit of its own;
more than half of what an event cost went there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command = tuple[str | bytes, ...]

_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)  # its stub takes one part alone
_MULTI = _pack(("MULTI",))
_EXEC = _pack(("EXEC",))


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
    await connection.send_packed_command(b"".join([_MULTI, *map(_pack, commands), _EXEC]))
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
    raise DefaultParser.parse_error(reason) if reason else error


async def _read(connection: Any, count: int) -> list[Any]:
    parser = connection._parser
    try:
        async with asyncio.timeout(connection.socket_timeout):
            return [await parser.read_response() for _ in range(count)]
    except TimeoutError:
        await connection.disconnect(nowait=True)
        raise RedisTimeoutError("Timeout reading from Redis") from None
    except OSError as error:
        await connection.disconnect(nowait=True)
        raise RedisConnectionError(f"Error while reading from Redis: {error}") from error
    except BaseException:
        await connection.disconnect(nowait=True)  # the replies that are still to come answer nobody
        raise
