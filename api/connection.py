"""One client's connection: bytes go straight into its socket, with no task and no queue while it keeps up.

A push is one call of the server's `send`, taken as far as it goes without suspending. Only if the socket is
full does it suspend; then one task waits for it, what comes meanwhile is buffered up to a bound, and a client
beyond the bound is cut off: it comes back with its cursor and misses nothing.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any

from starlette.types import Message, Receive, Send

MAX_BUFFERED_CHUNKS = 256
MAX_BUFFERED_BYTES = 1024 * 1024


class Connection:
    """A reader of the tailer's on an ASGI `send`.

    Attributes:
        ended: nothing more is sent: the log has ended, the pod goes, or the client was too slow.
    """

    __slots__ = ("_buffer", "_buffered", "_last", "_send", "_waiting", "ended")

    def __init__(self, send: Send) -> None:
        self.ended = False
        self._send: Any = send
        self._waiting: asyncio.Task[None] | None = None
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._last = False

    def push(self, data: bytes) -> None:
        """Send bytes now if the socket takes them, else as soon as it does."""
        if self.ended:
            return
        if self._waiting is None:
            self._begin({"type": "http.response.body", "body": data, "more_body": True})
        else:
            self._keep(data)

    async def send(self, data: bytes) -> bool:
        """Send bytes, waiting for the socket. False once the client has gone."""
        if self._waiting is not None:
            await self._waiting
        if self.ended or self._gone():
            return False
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        return not self._gone()

    def end(self, farewell: bytes = b"") -> None:
        """Send the last bytes and complete the response."""
        if self.ended:
            return
        if self._waiting is None:
            self.ended = True
            self._begin({"type": "http.response.body", "body": farewell, "more_body": False})
        else:
            self._last = True
            self._keep(farewell)
            self.ended = True

    async def closed(self, receive: Receive) -> None:
        """Wait until the client has gone or the response is complete."""
        while (await receive())["type"] != "http.disconnect":
            pass

    def _begin(self, message: Message) -> None:
        sending: Coroutine[Any, Any, None] = self._send(message)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        self._waiting = asyncio.create_task(self._continue(sending, waits_for), name="slow-client")

    async def _continue(self, sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            await _resume(sending, waits_for)
            while self._buffer:
                data = b"".join(self._buffer)
                self._buffer.clear()
                self._buffered = 0
                last = self._last
                await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        finally:
            self._waiting = None

    def _keep(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered += len(data)
        if len(self._buffer) > MAX_BUFFERED_CHUNKS or self._buffered > MAX_BUFFERED_BYTES:
            self.ended = True
            self._buffer.clear()
            self._abort()

    def _gone(self) -> bool:
        # uvicorn's send is silent about a client that has left; the object it's bound to knows.
        return bool(getattr(getattr(self._send, "__self__", None), "disconnected", False))

    def _abort(self) -> None:
        # A full socket takes no farewell, and closing it would wait for the client to read.
        transport: Any = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()


@types.coroutine
def _resume(sending: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was taken to its first suspension outside of any task."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:
            step, argument = sending.throw, error
        else:
            step, argument = sending.send, value
        try:
            waits_for = step(argument)
        except StopIteration:
            return
