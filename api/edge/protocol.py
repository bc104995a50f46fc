"""HTTP/1.1 on a socket, as uvicorn does it, until a stream takes the socket over.

Differences to uvicorn: what is no request gets a problem document like any other, when its turn has come,
and a moment to be read; what follows the last request of a connection is thrown away; and requests that wait
for the answer to an earlier one are few.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.connection import Connection, limit_stalls
from api.edge.heads import bad_request
from api.edge.manners import refusal
from api.problems import Problem

MAX_PIPELINED = 32
"""Requests that may wait for the answer to an earlier one, on one connection."""

_PROTOCOL = "taskreel.protocol"


class _EnoughError(Exception):
    """No further request is taken on this connection."""


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, from which a stream can take the socket, as a WebSocket would.

    A stream's client has nothing more to say, so there is nothing left to parse. Without a parser, a request
    and a task that waits for its disconnect, an idle stream costs a third.

    Attributes:
        in_head: a request has begun, and its head isn't complete.
        in_body: a head is complete, and its body isn't.
        running: the latest request that the application was given. uvicorn's `cycle` is the latest one that
            was parsed, which may have to wait for its turn.
    """

    parser: Any  # httptools' request parser; None once nothing more is taken

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.in_head = False
        self.in_body = False
        self.running: RequestResponseCycle | None = None
        self._was_last = False
        self._last_words: bytes | None = None

    @property
    def answering(self) -> bool:
        """Whether an answer is under way."""
        return self.running is not None and not self.running.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to listen."""
        super().connection_made(transport)
        limit_stalls(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, too."""
        super().connection_lost(exc)
        self._abandon()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless nothing more is taken."""
        if self.parser is None:
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.parser = None  # what follows isn't HTTP/1.1, or so the client thinks
        except httptools.HttpParserError as error:
            self._stop_parsing(error.__context__)

    def on_message_begin(self) -> None:
        """Let the application find the way from its request to the socket."""
        if self._was_last:
            raise _EnoughError
        super().on_message_begin()
        self.in_head = True
        self.scope["extensions"] = {_PROTOCOL: {"protocol": self}}

    def on_headers_complete(self) -> None:
        """Give the request to the application when its turn has come."""
        self.in_head, self.in_body = False, True
        super().on_headers_complete()
        if self.parser.should_upgrade() or len(self.pipeline) >= MAX_PIPELINED:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.in_body = False
        self._was_last = not self.cycle.keep_alive
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or with what is wrong with it."""
        super().on_response_complete()
        if self._last_words is not None and not self.answering:
            self._finish(self._last_words)

    def refuse(self, problem: Problem) -> None:
        """Take nothing more, and answer the request that is being parsed with a problem."""
        words = self._words(problem)
        faulty = self.cycle if self.in_body else None
        self.parser = None
        self.in_head = self.in_body = False
        if faulty is not None and faulty is self.running:
            began = faulty.response_started
            self._abandon()
            return self._finish(b"" if began else words)
        if faulty is not None:
            self.pipeline.popleft()  # it hasn't had its turn, and was the last in the line
        self._last_words = words
        return None if self.answering else self._finish(words)

    def lingers(self) -> None:
        """The last words are sent; the client may read them until the connection is closed."""

    def hand_over(self, connection: Connection) -> bool:
        """Leave the socket to a stream whose response has begun; the request's task may end then.

        False if the socket is closed, or about to be, and the stream would never hear of it.
        """
        if self.running is not None:
            self.running.disconnected = True  # else uvicorn closes the socket when the request's task ends
        if self.transport.is_closing():
            return False
        connection.server = self.connections
        self.connections.discard(self)
        connection.server.add(connection)
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        connection.connection_made(self.transport)
        self.transport.set_protocol(connection)
        self.parser = None
        return True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _stop_parsing(self, reason: BaseException | None) -> None:
        if isinstance(reason, _EnoughError):
            self.parser = None
        elif isinstance(reason, Problem) or reason is None:
            self.refuse(reason or bad_request("It is not HTTP/1.1."))
        else:
            self.logger.error("a request could not be parsed", exc_info=reason)
            self.refuse(bad_request("It is not HTTP/1.1 as this pod understands it."))

    def _words(self, problem: Problem) -> bytes:
        known = self.in_head or self.in_body
        scope = cast("Scope", self.scope if known else {"headers": ()})
        head = self.parser is not None and self.parser.get_method() == b"HEAD"
        return refusal(problem, scope, self.server_state.default_headers, body=not head)

    def _abandon(self) -> None:
        """Have the running request believe that its client has gone."""
        if self.running is not None and self.answering:
            self.running.disconnected = True
            self.running.message_event.set()

    def _finish(self, words: bytes) -> None:
        """Say the last words and stop talking.

        Closing at once, with something unread, would have the kernel reset the connection, and the client
        might never read what was wrong (RFC 9112, section 9.6).
        """
        self._unset_keepalive_if_required()
        self._last_words = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.lingers()
        else:
            self.transport.close()


def take_over(scope: Scope, connection: Connection) -> bool:
    """Put a connection in charge of the socket that a request came by, once the response's head is sent.

    False if the client has gone.

    Raises:
        RuntimeError: the server isn't the one in `api/edge/server`.
    """
    known = scope.get("extensions", {}).get(_PROTOCOL)
    if known is None:
        raise RuntimeError("streams need the server of api/edge/server.py: start the pod with `taskreel api`")
    return known["protocol"].hand_over(connection)
