"""One stream's socket: bytes go straight into it, with no task, timer or queue while the client keeps up.

A push is one `write` of the transport's, which hands it to the kernel there and then. Only when the client
takes less than it is sent is anything kept here, up to a bound; beyond it the client is cut off, comes back
with its cursor and misses nothing.

The response is in chunked transfer coding (RFC 9112, section 7.1). What is pushed goes to many, so it comes
as a chunk already, made once by whoever encodes it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Protocol

from api.auth.principal import Principal
from api.places import Place
from api.sse import LAST_CHUNK, chunk

MAX_KEPT_CHUNKS = 256
MAX_KEPT_BYTES = 1024 * 1024
"""What is kept for a client at most, beyond the 64 KiB of the transport's own buffer."""

STALLED_SECONDS = 30.0
"""A client that takes nothing for so long, though something waits for it, is cut off by the kernel."""

_NO_LINGER = struct.pack("ii", 1, 0)  # what is unsent is thrown away
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)  # RFC 5482; Linux has it


def limit_stalls(transport: asyncio.Transport) -> None:
    """Have the kernel cut a client off that takes nothing for `STALLED_SECONDS`, where it can."""
    plug = transport.get_extra_info("socket")
    if _USER_TIMEOUT is not None and plug.family != socket.AF_UNIX:
        plug.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, round(STALLED_SECONDS * 1000))


class Owner(Protocol):
    """Who opened the connection."""

    def lost(self, connection: Connection) -> None:
        """It's closed, for whatever reason; called once."""
        ...

    def cut_off(self, connection: Connection) -> None:
        """Its client was too slow and will be closed."""
        ...


class Connection(asyncio.Protocol):
    """A reader of the tailer's on a socket whose response has begun.

    Args:
        owner: is told what becomes of it.
        task_id: what it streams.
        principal: who for.
        place: what it has of the principal's places, if they are counted.
        cancels: whether the task ends with the client, if that goes first.

    Attributes:
        ended: nothing more is sent: the log has ended, the pod goes, or the client was too slow.
        gone: the socket is closed.
        server: the server's open connections, which it is one of until the socket is closed.
        transport: the socket.
    """

    __slots__ = (
        "_kept",
        "_kept_bytes",
        "_owner",
        "_room",
        "cancels",
        "ended",
        "gone",
        "place",
        "principal",
        "server",
        "task_id",
        "transport",
    )

    server: set[Any]
    transport: asyncio.Transport

    def __init__(
        self,
        owner: Owner,
        task_id: str,
        principal: Principal,
        *,
        place: Place | None = None,
        cancels: bool = False,
    ) -> None:
        self.task_id = task_id
        self.principal = principal
        self.place = place
        self.cancels = cancels
        self.ended = False
        self.gone = False
        self._owner = owner
        self._kept: list[bytes] | None = None  # None while the socket takes all there is
        self._kept_bytes = 0
        self._room: asyncio.Future[None] | None = None

    @property
    def keeps_up(self) -> bool:
        """Whether the client has taken all there was, as far as its socket tells."""
        return self._kept is None

    def push(self, data: bytes) -> None:
        """Send a chunk now if the socket takes it, else as soon as it does."""
        if self._kept is None:
            self.transport.write(data)
        else:
            self._keep(data)

    async def send(self, data: bytes) -> bool:
        """Send a chunk and wait until the socket takes more. False once nothing more can be sent."""
        self.push(data)
        if self._kept is not None and not (self.ended or self.gone):
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        return not (self.ended or self.gone)

    def end(self, farewell: bytes = b"") -> None:
        """Send some last bytes, not yet a chunk, complete the response, and close once it's all taken."""
        if self.ended or self.gone:
            return
        self.ended = True
        self.transport.write(b"".join([*(self._kept or ()), chunk(farewell), LAST_CHUNK]))
        self._take_no_more()
        self.transport.close()

    def shutdown(self) -> None:
        """End, as uvicorn asks of every connection when it shuts down."""
        self.end()

    def connection_made(self, transport: Any) -> None:
        """Take the socket over."""
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whichever side."""
        self.gone = True
        self._take_no_more()
        self.server.discard(self)
        self._owner.lost(self)

    def data_received(self, data: bytes) -> None:
        """Nothing: the connection closes after its response, so no other request counts."""

    def pause_writing(self) -> None:
        """Keep what comes, for the transport's buffer is full."""
        if self._kept is None:
            self._kept = []

    def resume_writing(self) -> None:
        """Hand on what was kept, as much as goes, for the transport's buffer is empty."""
        if self.ended or self._kept is None:
            return
        kept, self._kept = self._kept, None
        for sent, data in enumerate(kept, 1):
            self._kept_bytes -= len(data)
            self.transport.write(data)
            if self._kept is not None:  # full again
                self._kept = kept[sent:]
                return
        self._wake()

    def _keep(self, data: bytes) -> None:
        if self.ended or self.gone or self._kept is None:
            return
        self._kept.append(data)
        self._kept_bytes += len(data)
        if len(self._kept) > MAX_KEPT_CHUNKS or self._kept_bytes > MAX_KEPT_BYTES:
            self.ended = True
            self._take_no_more()
            self._reset()
            self._owner.cut_off(self)

    def _reset(self) -> None:
        """Close at once: a full socket takes no farewell, and the kernel need not go on trying for nobody."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def _take_no_more(self) -> None:
        self._kept, self._kept_bytes = [], 0
        self._wake()

    def _wake(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None
