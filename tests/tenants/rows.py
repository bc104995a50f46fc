"""The matrix: each route of a pod, and what it answers to whom. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORBIDDEN = (403, "forbidden")
UNKNOWN = (404, "task_not_found")

Answer = tuple[int, str]
"""The status, and a problem's code or nothing."""

REFUSED: Mapping[str, str] = {
    "nobody": 'Bearer realm="taskreel"',
    **dict.fromkeys(
        ["wrong", "unknown", "no key", "basic", "twice", "expired", "revoked", "scraper"],
        'Bearer realm="taskreel", error="invalid_token"',
    ),
}
"""Those whose credential doesn't hold, and the challenge that each gets with its 401."""


@dataclass(frozen=True)
class Row:
    """What one route answers.

    Attributes:
        route: method and path, as the route table has them.
        own: to the owner of the task, and to ops of its tenant.
        reader: to the role `read` of that tenant.
        others: to other tenants, and to another subject with the role `submit`.
        state: of the task in the path.
        request: how it's asked.
        is_open: everybody gets `own`, whatever they show.
        is_scraped: the scraper gets `own`, and nobody else, whose credential may hold elsewhere.
        query: of the request.
        file: what the path of a folder goes on with.
    """

    route: str
    own: Answer = (200, "")
    reader: Answer | None = None
    others: Answer | None = None
    state: str = "ended"
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_open: bool = False
    is_scraped: bool = False
    query: str = ""
    file: str = ""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The route's path."""
        return self.route.partition(" ")[2]

    @property
    def name(self) -> str:
        """Of the row, for people."""
        return f"{self.route}{self.file}{self.query}"

    def target(self, task_id: str) -> str:
        """What to ask for."""
        path = self.path.replace("{task_id}", task_id).replace("{name}", "echo")
        return path + self.file + self.query

    def due(self, caller: str) -> Answer:
        """The status and the code that a caller is to get."""
        if self.is_scraped:
            return self.own if caller == "scraper" else (401, "unauthenticated")
        if self.is_open or caller in ("owner", "ops"):
            return self.own
        if caller in REFUSED:
            return 401, "unauthenticated"
        if caller == "reader":
            return self.reader or self.own
        return self.others or self.own

    def challenge(self, caller: str) -> str | None:
        """The WWW-Authenticate that a caller is to get."""
        if self.is_scraped:
            return None if caller == "scraper" else REFUSED.get(caller, REFUSED["wrong"])
        return None if self.is_open else REFUSED.get(caller)


def _task(route: str, own: Answer = (200, ""), **more: Any) -> Row:
    return Row(route, own, others=UNKNOWN, **more)


def _change(route: str, own: Answer, **more: Any) -> Row:
    return Row(route, own, reader=FORBIDDEN, others=UNKNOWN, **more)


def _open(route: str, **more: Any) -> Row:
    return Row(route, is_open=True, **more)


ONE = "/tasks/{task_id}"
PAGE = ("GET", "HEAD")
ANSWER = {"json": {"value": "yes"}}

ROWS = [
    Row("POST /tasks", (202, ""), reader=FORBIDDEN, request={"json": {"graph": "echo"}}),
    Row("GET /tasks"),
    Row("GET /whoami"),
    Row("GET /graphs"),
    Row("GET /graphs/{name}"),
    _task(f"GET {ONE}"),
    _task(f"GET {ONE}", state="queued"),
    _task(f"GET {ONE}", (410, "log_expired"), state="expired"),
    _task(f"GET {ONE}/events"),
    _task(f"GET {ONE}/events", (410, "log_expired"), state="expired"),
    _task(f"GET {ONE}/events", request={"headers": {"Accept": "application/x-ndjson"}}),
    _task(f"GET {ONE}/stream"),
    _task(f"GET {ONE}/stream", state="running"),
    _task(f"GET {ONE}/stream", (204, ""), query="?last_event_id=1-5"),
    _task(f"GET {ONE}/stream", (410, "log_expired"), state="expired"),
    _task(f"HEAD {ONE}/stream"),
    _change(f"GET {ONE}/stream", (200, ""), query="?on_disconnect=cancel"),
    _change(f"POST {ONE}/cancel", (202, ""), state="queued"),
    _change(f"POST {ONE}/cancel", (202, ""), state="running"),
    _change(f"POST {ONE}/cancel", (409, "already_ended")),
    _change(f"POST {ONE}/cancel", (410, "log_expired"), state="expired"),
    _change(f"POST {ONE}/resume", (202, ""), state="waiting", request=ANSWER),
    _change(f"POST {ONE}/resume", (409, "not_waiting"), request=ANSWER),
    _change(f"POST {ONE}/resume", (422, "unknown_interrupt"), state="waiting",
            request={"json": {"value": 1, "interrupt_id": "i2"}}),
    _change(f"POST {ONE}/resume", (415, "unsupported_media_type"), state="waiting"),
    _task(f"POST {ONE}/ticket", (201, "")),
    _task(f"POST {ONE}/ticket", (410, "log_expired"), state="expired"),
    Row("GET /metrics", is_scraped=True),
    _open("GET /healthz"),
    _open("GET /readyz"),
    *(_open(f"{method} {path}") for method in PAGE for path in ("/", "/favicon.ico", "/docs")),
    *(_open(f"{method} /openapi.json") for method in PAGE),
    *(_open(f"{method} /console/", file="main.js") for method in PAGE),
    *(_open(f"{method} /docs/files/", file="swagger-ui.css") for method in PAGE),
]  # fmt: skip
"""At least one for each route. Who adds a route adds a row, and says who gets what."""
