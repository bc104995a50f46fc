"""Asking one server after another, until one of them knows."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from events.servers.connections import HEARD, exchange
from events.servers.urls import Address

ASK_SECONDS = 1.0
"""How long one server may take to answer, before the next one is asked."""

T = TypeVar("T")


class Inquiry:
    """Servers that know the same; who has answered is asked first, who hasn't last.

    Args:
        addresses: of the servers, at least one.
        options: of redis-py's connection to one of them.
    """

    def __init__(self, addresses: Iterable[Address], options: Mapping[str, Any]) -> None:
        self.addresses = deque(addresses)
        self._options = {**options, "socket_timeout": ASK_SECONDS, "socket_connect_timeout": ASK_SECONDS}
        self._kind: Any = HEARD[self._options.pop("connection_class")]

    async def ask(self, command: tuple[str, ...], understand: Callable[[Any, Address], T | None]) -> T:
        """The first answer that is one.

        Args:
            command: the question.
            understand: makes an answer of a reply and the address of who gave it; None if it is none.

        Raises:
            redis.exceptions.RedisError: nobody gave an answer. It tells of one that we may not ask, or else
                of the last one.
        """
        troubles: list[Exception] = [
            RedisConnectionError(f"none of the servers can tell: {' '.join(command)}")
        ]
        for address in list(self.addresses):
            try:
                answer = understand(await self._reply(address, command), address)
                if answer is not None:
                    return answer
            except (RedisError, OSError) as error:
                troubles.append(error)
            self.put_last(address)
        forbidden = (
            error for error in troubles if isinstance(error, AuthenticationError | NoPermissionError)
        )
        raise next(forbidden, troubles[-1])

    def put_last(self, address: Address) -> None:
        """Ask that server last from now on."""
        with contextlib.suppress(ValueError):
            self.addresses.remove(address)
            self.addresses.append(address)

    async def _reply(self, address: Address, command: tuple[str, ...]) -> Any:
        host, port = address
        connection: Any = self._kind(**self._options, host=host, port=port)
        try:
            await connection.connect()
            (reply,) = await exchange(connection, [command])
        finally:
            await connection.disconnect(nowait=True)
        if isinstance(reply, Exception):
            raise reply
        return reply
