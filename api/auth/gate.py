"""The gate: no request passes it without a principal, but for those to paths that are open to all.

It looks at the ASGI scope, which is what the routes look at as well, and never at a URL that it would have to
put together from a Host header.
"""

from __future__ import annotations

from typing import Protocol

from starlette.types import Scope

from api.auth.cross_origin import Origins
from api.auth.principal import NOBODY_ASKED, Principal
from api.auth.tickets import Tickets, ticket_of
from api.paths import METRICS_PATH, OPEN_FOLDERS, OPEN_PATHS
from api.problems import Problem
from events.scraping import Admitted, ScraperToken

REALM = 'Bearer realm="taskreel"'


class Authenticator(Protocol):
    """Knows credentials of one kind."""

    async def authenticate(self, token: str) -> Principal | None:
        """Whose token that is; None if it's unknown, wrong, expired or revoked."""
        ...


class Gate:
    """Finds out who a request is from.

    Args:
        authenticator: knows the tokens; None if nobody is asked who they are.
        tickets: let in a browser's EventSource, which has no token.
        origins: whose pages may change something where nobody is asked.
        scraper: who may read the metrics, and nothing else.
    """

    def __init__(
        self,
        authenticator: Authenticator | None,
        tickets: Tickets,
        origins: Origins,
        scraper: ScraperToken,
    ) -> None:
        self._authenticator = authenticator
        self._tickets = tickets
        self._origins = origins
        self._scraper = scraper

    async def admit(self, scope: Scope) -> Principal | None:
        """Who a request is from; None on a path that is open to all, and for a scraper of metrics.

        Raises:
            Problem: 401 `unauthenticated`: it has no credential, or none that holds; 403 `cross_origin`;
                404 `not_found`: this pod has no metrics for anybody.
        """
        if _is_open(scope["path"]):
            return None
        if scope["path"] == METRICS_PATH:
            return self._admit_scraper(scope)
        if self._authenticator is None:
            self._origins.check_change(scope)
            return NOBODY_ASKED
        token = bearer(scope)
        if token is None:
            return await self._by_ticket(scope)
        principal = await self._authenticator.authenticate(token)
        if principal is None:
            raise unauthenticated("The credential is unknown, has ended or was revoked.", wrong=True)
        return principal

    def _admit_scraper(self, scope: Scope) -> None:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        match self._scraper.admit(given):
            case Admitted.NOBODY:
                detail = "TASKREEL_METRICS_TOKEN is not set, so this pod's metrics are for nobody."
                raise Problem(404, "not_found", "Not Found", detail)
            case Admitted.NO:
                raise unauthenticated("The metrics are for the scraper's own token.", wrong=bool(given))
            case Admitted.YES:
                pass

    async def _by_ticket(self, scope: Scope) -> Principal:
        if ticket_of(scope) is None:
            raise unauthenticated("The request has no credential.")
        principal = await self._tickets.admit(scope)
        if principal is None:
            raise unauthenticated("The ticket doesn't open this stream, or not any more.", wrong=True)
        return principal


def bearer(scope: Scope) -> str | None:
    """The token of the request's one Authorization header (RFC 6750); None if it has none.

    Raises:
        Problem: 401: it has several, or one of another scheme.
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return None
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer":
        raise unauthenticated("The request needs one Authorization header: Bearer and a token.", wrong=True)
    return token.strip()


def unauthenticated(what: str, *, wrong: bool = False) -> Problem:
    """A problem that a credential solves. `wrong`: one was sent, but it doesn't hold."""
    challenge = f'{REALM}, error="invalid_token"' if wrong else REALM
    detail = f"{what} Send Authorization: Bearer with an API key or a token."
    title = "The request needs a credential"
    return Problem(401, "unauthenticated", title, detail, headers={"WWW-Authenticate": challenge})


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)
