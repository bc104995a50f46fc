"""What a request carries along in its ASGI scope."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.types import Scope

_REQUEST_ID = "taskreel.request_id"
_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,64}")


def request_id(scope: Scope) -> str:
    """The request's id: the client's `X-Request-ID` if it is a plain word, else a new one."""
    known = scope.get(_REQUEST_ID)
    if known is None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        known = scope[_REQUEST_ID] = given.decode() if _ACCEPTED.fullmatch(given) else uuid4().hex
    return known
