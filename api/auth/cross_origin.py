"""Other sites' pages: which of them may use the pod, and what a browser may do at another one's bidding.

A browser sends a request wherever a page tells it to, with the cookies it has for that place, and from within
whatever network it's in. What such a page gets to read, CORS decides; but the request is there. So where
somebody is let in by what a browser sends along by itself, or by nothing at all, the request must tell where
it is from: by `Sec-Fetch-Site`, which no page can set, or else by `Origin`, as Go's CrossOriginProtection has
it (https://pkg.go.dev/net/http#CrossOriginProtection). Clients that aren't browsers send neither.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qs

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from api.context import streamed_task
from api.problems import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

METHODS = ("GET", "POST")
REQUEST_HEADERS = (
    "authorization", "content-type", "idempotency-key", "last-event-id", "traceparent", "x-request-id",
)  # fmt: skip
ANSWER_HEADERS = (
    "etag", "idempotent-replayed", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id",
)  # fmt: skip


class Origins:
    """The other origins whose pages may use the pod.

    Args:
        allowed: as browsers write them, such as `https://app.example.com`.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def share(self, app: ASGIApp) -> ASGIApp:
        """The application, with answers that pages of the allowed origins can read."""
        if not self._allowed:
            return app
        return CORSMiddleware(
            app,
            allow_origins=sorted(self._allowed),
            allow_credentials=True,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
        )

    def check(self, scope: Scope) -> None:
        """Raises Problem, 403 `cross_origin`, if a page has sent the request whose origin isn't allowed."""
        if self._is_foreign(scope):
            detail = "A page of another origin has sent this. TASKREEL_CORS_ORIGINS names those that may."
            raise Problem(403, "cross_origin", "Pages of this origin may not do this", detail)

    def check_change(self, scope: Scope) -> None:
        """The same for a request that changes something; any other one passes."""
        if scope["method"] not in SAFE_METHODS or _cancels(scope):
            self.check(scope)

    def _is_foreign(self, scope: Scope) -> bool:
        origins = _values(scope, b"origin")
        if len(origins) == 1 and origins[0] in self._allowed:
            return False
        sites = _values(scope, b"sec-fetch-site")
        if sites:
            return not set(sites) <= {"same-origin", "none"}
        hosts = _values(scope, b"host")
        own = f"{scope['scheme']}://{hosts[0].lower()}" if len(hosts) == 1 else None
        return any(origin != own for origin in origins)


def _cancels(scope: Scope) -> bool:
    """Whether a stream that is asked for takes its task along when it closes."""
    if streamed_task(scope) is None:
        return False
    return "cancel" in parse_qs(scope["query_string"].decode("latin-1")).get("on_disconnect", [])


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for known, value in scope["headers"] if known == name]
