"""What every answer carries, whoever gives it: headers that keep a browser from making too much of it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.context import request_id
from api.problems import Problem

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]

_POLICY = b"content-security-policy"

POLICY = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")
"""Of what is no page, and has no policy of its own: a browser that shows it loads and runs nothing."""


def mannered(scope: Scope, send: Send) -> Send:
    """A way to send a request's answer that adds the request's id and what every answer carries."""
    added = [(b"x-request-id", request_id(scope).encode()), *HEADERS]

    async def send_mannered(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = message.get("headers", ())
            policy = () if any(name == _POLICY for name, _ in own) else (POLICY,)
            message["headers"] = [*own, *added, *policy]
        await send(message)

    return send_mannered


def refusal(
    problem: Problem, scope: Scope, server: Iterable[tuple[bytes, bytes]], *, body: bool = True
) -> bytes:
    """The bytes of a problem's answer that no application gives, on a connection that closes after it.

    Args:
        problem: what is wrong.
        scope: of the request, as far as it is known.
        server: the headers that the server gives to every answer.
        body: whether the answer has one; HEAD's doesn't.
    """
    known = request_id(scope)
    answer = problem.response(known)
    own = (POLICY, (b"x-request-id", known.encode()), (b"connection", b"close"))
    lines = [name + b": " + value + b"\r\n" for name, value in (*server, *answer.raw_headers, *HEADERS, *own)]
    content = bytes(answer.body) if body else b""
    return b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", content])
