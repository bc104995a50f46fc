"""Passes: signed notes that let their bearer read one task's stream, as the principal they were made for.

There are two kinds: the ticket, which a page puts into a stream's URL, and the cookie, which the browser gets
for it. They are JSON Web Tokens of our own (RFC 7519), each of a type and an audience that no other token has
(RFC 8725, 3.9 and 3.11).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

import jwt

from api.auth.principal import Principal
from events.apikeys import Role

LONGEST = 4096
"""Characters; browsers keep no larger cookie."""

_REQUIRED: Any = {"require": ["exp", "aud", "jti"], "verify_exp": False}


class Kind(StrEnum):
    """What a pass is."""

    TICKET = "ticket"
    """To be used once, and soon."""
    COOKIE = "cookie"
    """To come back with, together with the ticket that it was given for."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass says.

    Attributes:
        id: of this very pass.
        principal: who its bearer is.
        task_id: whose stream it opens, as the tenant knows it.
        expires_at: when it ends, in Unix seconds.
    """

    id: str
    principal: Principal
    task_id: str
    expires_at: float

    @property
    def fresh(self) -> bool:
        """Whether it hasn't ended."""
        return time.time() < self.expires_at


def make_pass(principal: Principal, task_id: str, seconds: float) -> Pass:
    """A new pass to that task's stream, for so long, or until the principal's credential ends."""
    end = time.time() + seconds
    if principal.expires_at is not None:
        end = min(end, principal.expires_at)
    return Pass(uuid4().hex, principal, task_id, end)


def sign(it: Pass, kind: Kind, system: str, secret: bytes) -> str:
    """The text of a pass; `system` is the prefix of its keys."""
    principal = it.principal
    claims = {
        "aud": _audience(kind, system),
        "exp": it.expires_at,
        "jti": it.id,
        "task": it.task_id,
        "tenant": principal.tenant,
        "subject": principal.subject,
        "role": principal.role,
        "credential": principal.credential,
        "credential_exp": principal.expires_at,
    }
    return jwt.encode(claims, secret, "HS256", {"typ": _type(kind)})


def read(text: str, kind: Kind, system: str, secret: bytes) -> Pass | None:
    """What a pass says, fresh or not; None if we didn't sign it as one of that kind."""
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        found = jwt.decode_complete(text, secret, ["HS256"], _REQUIRED, audience=_audience(kind, system))
    except jwt.PyJWTError:
        return None
    if found["header"].get("typ") != _type(kind):
        return None
    claims = found["payload"]
    principal = Principal(
        claims["tenant"],
        claims["subject"],
        Role(claims["role"]),
        claims["credential"],
        claims["credential_exp"],
    )
    return Pass(claims["jti"], principal, claims["task"], claims["exp"])


def _audience(kind: Kind, system: str) -> str:
    return f"{system}:{kind}"


def _type(kind: Kind) -> str:
    return f"taskreel-{kind}+jwt"
