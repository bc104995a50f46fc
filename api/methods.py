"""Which methods a path takes, for the `Allow` of a 405: RFC 9110, section 15.5.6. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_TOLD = frozenset({*METHODS, "OPTIONS"})


def told(scope: Scope) -> str:
    """A request's method as logs and metrics tell it: one of few, whatever clients make up."""
    return scope["method"] if scope["method"] in _TOLD else "other"


def allowed(routes: Sequence[BaseRoute], scope: Scope, known: Iterable[str]) -> str:
    """All methods that the path takes; `known` are those of its first route, which the framework tells.

    What is mounted refuses a method by itself, and knows best.
    """
    own = [route for route in routes if not isinstance(route, Mount)]
    found = {method for method in METHODS if any(_takes(route, scope, method) for route in own)}
    return ", ".join(sorted(found.union(known)))


def _takes(route: BaseRoute, scope: Scope, method: str) -> bool:
    match, _ = route.matches({**scope, "method": method})
    return match is Match.FULL
