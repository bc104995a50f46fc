"""What a request carries along in its ASGI scope."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.types import Scope

_REQUEST_ID = "taskreel.request_id"
_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_STREAM_PATH = re.compile(r"/tasks/([^/]+)/stream")


def request_id(scope: Scope) -> str:
    """The request's id: the client's `X-Request-ID` if it is a plain word, else a new one."""
    known = scope.get(_REQUEST_ID)
    if known is None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        known = scope[_REQUEST_ID] = given.decode() if _ACCEPTED.fullmatch(given) else uuid4().hex
    return known


def streamed_task(scope: Scope) -> str | None:
    """What the request's path names as the task, if it's the path of a stream."""
    match = _STREAM_PATH.fullmatch(scope["path"])
    return match[1] if match else None
