"""HTTP/1.1 within limits: how large a request may be, and what it may look like, before anybody sees it."""

from __future__ import annotations

from typing import Any

from api.edge.heads import (
    MAX_BODY_BYTES,
    MAX_FIELDS,
    check_head,
    check_host,
    headers_too_large,
    too_large,
)
from api.edge.hosts import Hosts
from api.edge.limits import RequestLimits
from api.edge.protocol import HttpProtocol

MAX_WIRE_BYTES = 8 * MAX_BODY_BYTES
"""What a body may take on the wire in chunked coding: a chunk may be one byte, and have an extension."""


class StrictProtocol(HttpProtocol):
    """HTTP/1.1 whose requests are refused as soon as they are over a limit or wrong.

    Args:
        limits: of each request.
        hosts: what names the pod goes by; None for any.
        options: of uvicorn.
    """

    def __init__(self, limits: RequestLimits, hosts: Hosts | None, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._hosts = hosts
        self._begun = 0  # messages in the piece that is being parsed
        self._parsed_bytes = 0  # of the head's parts that are whole
        self._head_bytes = 0  # of the head, as read; not of a piece in which another request ends
        self._body_bytes = 0
        self._wire_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, and stop once the head, or the body's coding, is too large."""
        in_body, self._begun = self.in_body, int(self.in_head)
        super().data_received(data)
        if self.in_head and self._begun == 1 and not in_body:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.header_bytes:
                self.refuse(headers_too_large(self._limits.header_bytes))
        elif in_body and self.in_body:
            self._wire_bytes += len(data)
            if self._wire_bytes > MAX_WIRE_BYTES:
                self.refuse(too_large())

    def on_message_begin(self) -> None:
        """Count anew."""
        super().on_message_begin()
        self._begun += 1
        self._parsed_bytes = self._head_bytes = self._body_bytes = self._wire_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers, which come after a body in chunks, are thrown away (RFC 9110, 6.5.1)."""
        if not self.in_head:
            return
        self._count(len(name) + len(value) + len(b": \r\n"))
        if len(self.headers) >= MAX_FIELDS:
            raise headers_too_large(self._limits.header_bytes)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head as a whole before the application gets the request."""
        parser = self.parser
        version, upgrade = parser.get_http_version(), parser.should_upgrade()
        check_head(parser.get_method(), version, self.url, self.headers, upgrade=upgrade)
        check_host(self.url, self.headers, self._hosts)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise too_large()
        super().on_body(body)

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > self._limits.header_bytes:
            raise headers_too_large(self._limits.header_bytes)
