"""HTTP/1.1 on a socket, as uvicorn does it, until a stream takes the socket over."""

from __future__ import annotations

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.connection import Connection

_PROTOCOL = "taskreel.protocol"


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, from which a stream can take the socket, as a WebSocket would.

    A stream's client has nothing more to say, so there is nothing left to parse. Without a parser, a request
    and a task that waits for its disconnect, an idle stream costs a third.
    """

    def on_message_begin(self) -> None:
        """Let the application find the way from its request to the socket."""
        super().on_message_begin()
        self.scope["extensions"] = {_PROTOCOL: {"protocol": self}}

    def hand_over(self, connection: Connection) -> bool:
        """Leave the socket to a stream whose response has begun; the request's task may end then.

        False if the socket is closed, or about to be, and the stream would never hear of it.
        """
        self.cycle.disconnected = True  # else uvicorn closes the socket when the request's task ends
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


def take_over(scope: Scope, connection: Connection) -> bool:
    """Put a connection in charge of the socket that a request came by, once the response's head is sent.

    False if the client has gone.

    Raises:
        RuntimeError: the server isn't the one in `api/server`.
    """
    known = scope.get("extensions", {}).get(_PROTOCOL)
    if known is None:
        raise RuntimeError("streams need the server of api/server.py: start the pod with `taskreel api`")
    return known["protocol"].hand_over(connection)
