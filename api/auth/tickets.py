"""Tickets: how a browser's EventSource is let in, which sends no headers of a page's.

A page asks for a ticket with its credential, and opens the stream with it. The ticket holds once; with the
answer comes a cookie. When the EventSource comes back by itself, it has the same URL and the cookie, and both
together let it in again. A cookie opens nothing without a ticket for the same principal and task, so what is
left in a browser after somebody has signed out is of no use, nor is what another site makes it send.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from redis.asyncio import Redis
from starlette.types import Scope

from api.auth.cross_origin import Origins
from api.auth.passes import Kind, Pass, make_pass, read, sign
from api.auth.principal import Principal
from api.auth.secret import Secret
from api.auth.watch import StillValid
from api.context import streamed_task
from events.keys import Keys

TICKET_SECONDS = 30
COOKIE_SECONDS = 12 * 3600
SPENT_SECONDS = 2 * TICKET_SECONDS
"""How long it's known that a ticket was used: longer than it holds by the slowest pod's clock."""

COOKIE = "taskreel_stream"

_SAME_SITE = {
    "strict": "SameSite=Strict",
    "lax": "SameSite=Lax",
    # Browsers that block other sites' cookies take those that they may keep apart by the page's site (CHIPS).
    "none": "SameSite=None; Partitioned",
}
_SET_COOKIE = "taskreel.set_cookie"


class Tickets:
    """Makes tickets, and lets their bearers in.

    Args:
        redis: where it's known which ones were used.
        keys: by which names.
        secret: to sign them with.
        origins: whose pages may come with a cookie.
        still_valid: asks which credentials haven't been revoked; None if none can be.
        same_site: whose pages a browser sends the cookie for: strict, lax or none.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        secret: Secret,
        *,
        origins: Origins,
        still_valid: StillValid | None,
        same_site: str,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._secret = secret
        self._origins = origins
        self._still_valid = still_valid
        self._same_site = _SAME_SITE[same_site]

    async def issue(self, principal: Principal, task_id: str) -> tuple[str, Pass]:
        """A ticket to the stream of a task, by the id that its tenant knows, and what it says."""
        ticket = make_pass(principal, task_id, TICKET_SECONDS)
        return sign(ticket, Kind.TICKET, self._keys.prefix, await self._secret.get()), ticket

    async def admit(self, scope: Scope) -> Principal | None:
        """Who a request to a stream is from, by its ticket and cookie; None if they let nobody in.

        Raises:
            Problem: 403 `cross_origin`: the cookie came with the request of another site's page.
            redis.exceptions.RedisError, OSError: Redis is away.
        """
        given, task_id = ticket_of(scope), streamed_task(scope)
        if given is None or task_id is None:
            return None
        secret = await self._secret.get()
        ticket = read(given, Kind.TICKET, self._keys.prefix, secret)
        if ticket is None or ticket.task_id != task_id:
            return None
        if ticket.fresh and await self._spend(ticket):
            self._give_cookie(scope, ticket, secret)
        elif self._comes_back(scope, ticket, secret):
            self._origins.check(scope)
        else:
            return None
        return ticket.principal if await self._holds(ticket.principal.credential) else None

    async def _spend(self, ticket: Pass) -> bool:
        """Whether it's used for the first time, at whichever pod."""
        name = self._keys.spent_ticket(ticket.principal.tenant, ticket.id)
        done: Any = await self._redis.set(name, b"", nx=True, ex=SPENT_SECONDS)
        return bool(done)

    def _comes_back(self, scope: Scope, ticket: Pass, secret: bytes) -> bool:
        """Whether the request has a cookie that was given for such a ticket, and hasn't ended."""
        cookies = [read(text, Kind.COOKIE, self._keys.prefix, secret) for text in _cookies(scope)]
        wanted = (ticket.principal, ticket.task_id)
        return any(it.fresh and (it.principal, it.task_id) == wanted for it in cookies if it is not None)

    async def _holds(self, credential: str) -> bool:
        if self._still_valid is None or not credential:
            return True
        return credential in await self._still_valid([credential])

    def _give_cookie(self, scope: Scope, ticket: Pass, secret: bytes) -> None:
        cookie = make_pass(ticket.principal, ticket.task_id, COOKIE_SECONDS)
        rest = max(round(cookie.expires_at - time.time()), 0)
        text = sign(cookie, Kind.COOKIE, self._keys.prefix, secret)
        scope[_SET_COOKIE] = (
            f"{COOKIE}={text}; Max-Age={rest}; Path={scope['path']}; HttpOnly; Secure; {self._same_site}"
        )


def ticket_of(scope: Scope) -> str | None:
    """The one ticket in the URL of a GET for a stream."""
    if scope["method"] != "GET" or streamed_task(scope) is None:
        return None
    given = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [])
    return given[0] if len(given) == 1 else None


def cookie_to_set(scope: Scope) -> str | None:
    """The Set-Cookie of a request that a ticket has let in; every answer to it has to carry that."""
    return scope.get(_SET_COOKIE)


def _cookies(scope: Scope) -> Iterator[str]:
    """What the request has by our cookie's name; it may have several, of which another site has set one."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, text = pair.strip().partition("=")
                if key == COOKIE:
                    yield text
