"""A server that follows a script, byte for byte, for a client to cope with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from cli.client import Client
from cli.wire import Event, Notice
from tests.support.listening import listening, port_of
from tests.support.waiting import wait_until

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

QUICK = b"retry: 1\n\n"
TASK = "0190b5a0-0000-7000-8000-000000000001"


def head(status: int, fields: dict[str, str]) -> bytes:
    """The head of an answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Scripted\r\nConnection: close\r\n{lines}\r\n".encode()


STREAM = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


class Scripted:
    """A server that gives one canned answer a connection, and refuses when there are no more.

    Attributes:
        requests: the bytes of each request.
    """

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self.server: asyncio.Server | None = None
        self._answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's only request."""
        request = await reader.readuntil(b"\r\n\r\n")
        size = [
            int(line[15:]) for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        self.requests.append(request + await reader.readexactly(size[0] if size else 0))
        answer = self._answers.pop(0)
        if not self._answers and self.server:
            self.server.close()
        await answer(writer)

    def header(self, name: str) -> list[str | None]:
        """What each request had in a header."""
        lines = [request.decode().lower().split("\r\n") for request in self.requests]
        start = name.lower() + ": "
        return [next((line[len(start) :] for line in one if line.startswith(start)), None) for one in lines]


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncGenerator[Scripted]:
    """A scripted server on a free port."""
    script = Scripted(answers)
    async with listening(script.serve) as script.server:
        script.url = f"http://127.0.0.1:{port_of(script.server)}"
        yield script


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A complete answer."""
    fields = {"Content-Length": str(len(body)), **{key.replace("_", "-"): headers[key] for key in headers}}
    return sends(head(status, fields) + body)


def sends(*pieces: bytes, cut: bool = False) -> Answer:
    """Raw bytes, then the end: an orderly one, or a cut."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.writelines(pieces)
        await writer.drain()
        if cut:
            writer.transport.abort()

    return answer


def streams(*chunks: bytes, end: bool = True) -> Answer:
    """An event stream in such chunks; without its end the connection is closed before the last chunk."""
    return sends(STREAM, *chunked(QUICK, *chunks), b"0\r\n\r\n" if end else b"")


def chunked(*chunks: bytes) -> list[bytes]:
    """Bytes as HTTP's chunks."""
    return [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]


def problem(status: int, code: str, **headers: str) -> Answer:
    """A problem document."""
    body = json.dumps({"status": status, "code": code, "detail": "What\nto do."}).encode()
    return says(status, body, Content_Type="application/problem+json", **headers)


def history(*seqs: int) -> Answer:
    """Events of attempt 1 as a page of history has them."""
    lines = b"".join(frame(seq).partition(b"data: ")[2].rstrip() + b"\n" for seq in seqs)
    return says(200, lines, Content_Type="application/x-ndjson")


def hangs(writer: asyncio.StreamWriter) -> Awaitable[None]:
    """Accept, and never answer."""
    return wait_until(writer.is_closing)


def frame(seq: int, kind: str = "progress", **data: Any) -> bytes:
    """An event of attempt 1 as a pod sends it."""
    event = {"seq": seq, "attempt": 1, "type": kind, "ts": "2026-11-21T00:00:00.000Z", "data": data}
    return f"id: 1-{seq}\nevent: {kind}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def notice(kind: str, field: str = "", **data: Any) -> bytes:
    """A frame that is no event."""
    return f"{field}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


END = frame(9, "task.succeeded", result=1)


async def followed(
    script: Scripted, after: str | None = None, **options: Any
) -> tuple[list[Event], list[Notice]]:
    """All that a follower of the scripted task gets."""
    notices: list[Notice] = []
    async with (
        Client(script.url, **options) as client,
        client.follow(TASK, after, on_notice=notices.append) as events,
    ):
        return [event async for event in events], notices


def seqs(events: list[Event]) -> list[int]:
    """The events' numbers."""
    return [event["seq"] for event in events]
