"""The primary that sentinels name (https://redis.io/docs/latest/develop/reference/sentinel-clients/)."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from redis.exceptions import ConnectionError as RedisConnectionError

from events.servers.connections import leave
from events.servers.inquiry import Inquiry
from events.servers.urls import Address


class Primary:
    """Where the primary is; the sentinels are asked before each connection.

    One that was cut off and comes back goes on as a primary until sentinels have told it otherwise, and
    answers with what it has. So connections to any other than the one they name are left at once.

    Args:
        sentinels: who knows.
        service: what they call the primary and its replicas.
    """

    def __init__(self, sentinels: Inquiry, service: str) -> None:
        self._sentinels = sentinels
        self._service = service
        self._connections: WeakSet[Any] = WeakSet()

    async def find(self) -> Address:
        """Where the primary is.

        Raises:
            redis.exceptions.ConnectionError: no sentinel can tell.
        """
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        found = await self._sentinels.ask(question, _address)
        leave(self._connections, {found})
        return found

    async def check(self, connection: Any) -> None:
        """See whether that server takes itself as a primary: sentinels may not have noticed yet.

        Raises:
            redis.exceptions.ConnectionError: it doesn't.
        """
        await connection.send_command("ROLE")
        role = await connection.read_response()
        if role[0] != b"master":
            address = (connection.host, connection.port)
            self.failed(address)
            raise RedisConnectionError(f"{address[0]}:{address[1]} is no primary of {self._service} now")
        self._connections.add(connection)

    def failed(self, address: Address) -> None:
        """Ask another sentinel next time: the first one may be cut off from the others."""
        del address
        self._sentinels.put_last(self._sentinels.addresses[0])


def _address(reply: Any, of: Address) -> Address | None:
    del of
    return (reply[0].decode(), int(reply[1])) if reply else None
