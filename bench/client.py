"""A client that costs next to nothing: one blocking socket a request, bytes searched and not parsed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

TIMEOUT_SECONDS = 30.0
"""How long a silent server is waited for."""


class Request:
    """One request on a connection of its own, which the server closes after the answer.

    Attributes:
        received: the answer so far, head and body as they came.
    """

    def __init__(self, port: int, method: str, path: str, accept: str, body: bytes = b"") -> None:
        self.received = bytearray()
        self._searched = 0
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + body)

    def wait_for(self, text: bytes) -> int:
        """Receive until the text has come; gives where it ends. Searches go forward only."""
        while (found := self.received.find(text, self._searched)) < 0:
            self._searched = max(self._searched, len(self.received) - len(text) + 1)
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError(f"no {text!r} in the answer: {bytes(self.received[-500:])!r}")
            self.received += data
        self._searched = found + len(text)
        return self._searched

    def finish(self) -> None:
        """Receive the rest, until the server closes."""
        while data := self._socket.recv(65536):
            self.received += data
        self._socket.close()

    def receive_into(self, buffer: memoryview) -> int:
        """Receive all into a buffer and close; gives how many bytes that was."""
        size = 0
        while count := self._socket.recv_into(buffer[size:]):
            size += count
        self._socket.close()
        if size == len(buffer):
            raise BufferError(f"the answer is larger than {size} bytes")
        return size


def body_of(answer: bytes) -> bytes:
    """The body of a complete answer in chunked transfer coding (RFC 9112, section 7.1)."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200") or b"chunked" not in head.lower():
        raise ValueError(f"not a chunked 200: {head!r}")
    return b"".join(_chunks(rest))


def _chunks(rest: bytes) -> Iterator[bytes]:
    position = 0
    while True:
        line_end = rest.index(b"\r\n", position)
        size = int(rest[position:line_end], 16)
        if size == 0:
            return
        yield rest[line_end + 2 : line_end + 2 + size]
        position = line_end + 2 + size + 2
