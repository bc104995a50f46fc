"""What a request's head may say, beyond what the parser refuses by itself. Pure.

Two parsers that don't agree where a request ends can be made to disagree on what the next one is (request
smuggling). So whatever leaves room for two readings is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.edge.hosts import Hosts
from api.problems import Problem

MAX_BODY_BYTES = 1024 * 1024
MAX_FIELDS = 100

Headers = Sequence[tuple[bytes, bytes]]

_CHECKED = frozenset({b"host", b"content-length", b"transfer-encoding"})


def bad_request(detail: str) -> Problem:
    """A request that isn't HTTP/1.1 as we take it; the answer's connection closes."""
    return Problem(400, "bad_request", "The request is malformed", detail)


def too_large() -> Problem:
    """A body over the limit."""
    return Problem(413, "too_large", "The body is too large", f"It may have {MAX_BODY_BYTES} bytes.")


def headers_too_large(max_bytes: int) -> Problem:
    """A head over one of its limits."""
    detail = f"All of them together may have {max_bytes} bytes, the request line too, in {MAX_FIELDS} fields."
    return Problem(431, "headers_too_large", "The request's headers are too large", detail)


def request_timeout() -> Problem:
    """A request that took too long to come."""
    detail = "It didn't come whole in time. Send it again, faster."
    return Problem(408, "request_timeout", "The request took too long", detail)


def misdirected() -> Problem:
    """A request for somebody else, as its Host says."""
    detail = "This pod doesn't go by the name that Host gives; TASKREEL_HOSTS says which it goes by."
    return Problem(421, "misdirected_request", "The request is for another host", detail)


def check_head(method: bytes, version: str, target: bytes, headers: Headers, *, upgrade: bool) -> None:
    """Check a head that is complete.

    Args:
        method: of the request.
        version: of HTTP, such as `1.1`.
        target: the path and query, as they were sent.
        headers: with their names in lower case.
        upgrade: whether it asks for another protocol. We speak none, and answer in this one.

    Raises:
        Problem: 400 `bad_request`; 413 `too_large`: it announces more than a body may have.
    """
    if version not in ("1.0", "1.1"):
        raise bad_request("Its protocol is neither HTTP/1.1 nor HTTP/1.0.")
    if method == b"CONNECT" or not target.startswith(b"/") or b"#" in target:
        raise bad_request("Its target is no path: it begins with a slash and has no fragment.")
    found = [(name, value) for name, value in headers if name in _CHECKED]
    hosts = sum(name == b"host" for name, _ in found)
    if hosts > 1 or (version == "1.1" and not hosts):
        raise bad_request("It needs one Host header.")
    _check_framing(version, {name: value for name, value in found if name != b"host"}, len(found) - hosts)
    if upgrade and len(found) > hosts:
        raise bad_request("A request with a body can't ask for another protocol (Upgrade).")


def check_host(target: bytes, headers: Headers, hosts: Hosts | None) -> None:
    """Raises Problem, 421 `misdirected_request`, if the pod doesn't go by the name that Host gives.

    Probes and scrapers come to the pod's address.
    """
    if hosts is None or target in hosts.nameless:
        return
    if not any(name == b"host" and hosts.take(value) for name, value in headers):
        raise misdirected()


def _check_framing(version: str, framing: dict[bytes, bytes], fields: int) -> None:
    """The parser has refused what is no number, and both headers in one request."""
    coding = framing.get(b"transfer-encoding")
    if coding is not None and (version == "1.0" or fields > 1 or coding.strip().lower() != b"chunked"):
        raise bad_request("Its Transfer-Encoding is not chunked, once, with HTTP/1.1.")
    if int(framing.get(b"content-length", b"0")) > MAX_BODY_BYTES:
        raise too_large()
