"""Requests as bytes: what a client library would refuse to send, or would put right, is sent as it is."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.answers import Answer, parse, parse_head
from tests.support.pods import RunningPod
from tests.support.wire import exchange

Fields = Mapping[bytes, bytes]

JSON: Fields = {b"Content-Type": b"application/json"}


async def ask(
    pod: RunningPod,
    method: str,
    target: str | bytes,
    headers: Fields | None = None,
    body: bytes | None = None,
) -> Answer:
    """The one answer to a request, on a connection of its own."""
    raw_target = target.encode() if isinstance(target, str) else target
    fields = {b"Host": b"pod", b"Connection": b"close", **(headers or {})}
    if body is not None:
        fields[b"Content-Length"] = b"%d" % len(body)
    lines = [method.encode() + b" " + raw_target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in fields.items()]
    raw = await exchange(pod, b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
    if method == "HEAD":
        head, _, rest = raw.partition(b"\r\n\r\n")
        assert rest == b"", "HEAD's answer has no body"
        return parse_head(head)
    [answer] = parse(raw)
    return answer
