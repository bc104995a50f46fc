"""Answers as they come over a socket, taken apart with nothing but RFC 9112 in mind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from tests.support.sockets import Socket

MANNERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
"""What every answer carries, each once."""

POLICY = b"default-src 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        """The values of a header."""
        return [value for known, value in self.headers if known == name]

    def one(self, name: bytes) -> bytes:
        """The value of a header that comes once."""
        values = self.all(name)
        assert len(values) == 1, (name, values)
        return values[0]

    def problem(self) -> dict[str, Any]:
        """The problem document, which must be whole, and name the request as the header does."""
        assert self.one(b"content-type") == b"application/problem+json", self
        document: dict[str, Any] = orjson.loads(self.body)
        assert document["status"] == self.status
        assert {"type", "title", "code", "detail"} <= document.keys()
        assert document["request_id"].encode() == self.one(b"x-request-id")
        return document

    def code(self) -> tuple[int, str]:
        """The status and the code of a problem; manners and all."""
        self.check_manners()
        return self.status, self.problem()["code"]

    def check_manners(self) -> None:
        """What every answer carries is there, once, and nothing tells who serves it."""
        for name, value in MANNERS.items():
            assert self.one(name) == value, (name, self)
        assert self.one(b"content-security-policy")
        assert len(self.one(b"x-request-id")) > 0
        assert not self.all(b"server")


async def read_answer(client: Socket, *, body: bool = True) -> Answer:
    """The next answer on a connection that stays open; `body`: whether it has one."""
    return parse_head(await client.until(b"\r\n\r\n")) if not body else await _whole(client)


async def _whole(client: Socket) -> Answer:
    head = parse_head(await client.until(b"\r\n\r\n"))
    if head.all(b"transfer-encoding"):
        coded = await client.until(b"\r\n0\r\n\r\n")
        return Answer(head.status, head.headers, _decode(coded)[0])
    length = int(head.one(b"content-length")) if head.all(b"content-length") else 0
    return Answer(head.status, head.headers, await client.reader.readexactly(length))


def parse_head(raw: bytes) -> Answer:
    """Status line and headers; the header's names in lower case, as the pod sends them."""
    first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    assert version == b"HTTP/1.1", raw
    headers = [line.partition(b": ") for line in lines]
    return Answer(int(status), tuple((name, value) for name, _, value in headers), b"")


def parse(raw: bytes) -> list[Answer]:
    """All answers in what a connection said until its end."""
    found: list[Answer] = []
    while raw:
        head, divider, rest = raw.partition(b"\r\n\r\n")
        assert divider, raw
        answer = parse_head(head)
        if answer.all(b"transfer-encoding"):
            body, raw = _decode(rest)
        else:
            length = int(answer.one(b"content-length")) if answer.all(b"content-length") else 0
            body, raw = rest[:length], rest[length:]
            assert len(body) == length, "a truncated answer"
        found.append(Answer(answer.status, answer.headers, body))
    return found


def _decode(coded: bytes) -> tuple[bytes, bytes]:
    """A body in chunks, and what follows it."""
    body = b""
    while True:
        size, _, coded = coded.partition(b"\r\n")
        length = int(size, 16)
        body += coded[:length]
        assert coded[length : length + 2] == b"\r\n"
        coded = coded[length + 2 :]
        if not length:
            return body, coded
