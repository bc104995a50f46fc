"""The ASGI application of a pod: streams straight to their endpoint, everything else through FastAPI."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api import methods, routes, scrape, tickets, wishes
from api.auth.principal import set_principal
from api.context import request_id, streamed_task
from api.edge.manners import mannered
from api.metrics import measured
from api.openapi import document
from api.pages import console_routes, docs_routes
from api.paths import STREAM_ROUTE
from api.pod import Pod
from api.problems import Problem, from_error, internal_error
from api.requests import attended
from api.stream import StreamEndpoint, answer_problem
from events.connect import AWAY
from events.errors import TaskreelError
from events.settings import Auth, Settings, load

# FastAPI's own pages load from other hosts; its redirects to a path with or without a slash repeat Host.
_NO_PAGES: dict[str, Any] = {"docs_url": None, "redoc_url": None, "redirect_slashes": False}

# Its own spans would bear query strings, in which tickets are, and there would be one of each GET.
_NO_TELEMETRY: Any = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}


def create_app(settings: Settings | None = None) -> Entrance:
    """The application, to be run by uvicorn; without settings they are read from the environment."""
    pod = Pod(settings or load())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await pod.start()
        try:
            yield
        finally:
            await pod.close()

    web = FastAPI(title="Taskreel", version="0.1.0", lifespan=lifespan, **_NO_PAGES, telemetry=_NO_TELEMETRY)
    web.state.pod = pod
    web.include_router(routes.router)
    web.include_router(wishes.router)
    web.include_router(tickets.router)
    web.include_router(scrape.router)
    document.complete(web.openapi(), secured=pod.identity.auth is not Auth.OFF)
    web.router.routes += [*console_routes(), *docs_routes()]
    for kind in (Problem, TaskreelError, *AWAY, HTTPException, RequestValidationError, Exception):
        web.add_exception_handler(kind, _problem)
    stream = StreamEndpoint(pod.log, pod.streams, pod.access)
    # Entrance takes what this route would match; without it, another method on its path would be a 404.
    web.router.routes.append(Route(STREAM_ROUTE, stream, methods=["GET"]))
    return Entrance(pod, web, stream)


class Entrance:
    """Sends a request where it belongs, and gives it an id.

    A stream's bytes must reach its socket through as few wrappers as can be, and each of a thousand streams
    would keep its own copy of them alive. So streams pass FastAPI by.
    """

    def __init__(self, pod: Pod, web: ASGIApp, stream: ASGIApp) -> None:
        self.pod = pod
        self._web = web
        self._stream = stream
        self._shared = pod.identity.origins.share(self._serve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI's."""
        if scope["type"] != "http":
            return await self._web(scope, receive, send)
        with attended(scope, send, told=self.pod.access_log) as send_told:
            return await self._shared(scope, receive, mannered(scope, measured(scope, send_told)))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            principal = await self.pod.identity.gate.admit(scope)
        except Exception as error:
            response = await _problem(Request(scope), error)
            return await response(scope, receive, send)
        if principal is not None:
            set_principal(scope, principal)
        task_id = streamed_task(scope)
        if task_id is not None and scope["method"] in ("GET", "HEAD"):
            scope["path_params"] = {"task_id": task_id}
            return await self._stream(scope, receive, send)
        return await self._web(scope, receive, send)


async def _problem(request: Request, error: Exception) -> Response:
    return answer_problem(from_error(error) or _from_framework(request, error), request)


def _from_framework(request: Request, error: Exception) -> Problem:
    if isinstance(error, RequestValidationError):
        paths = ["/".join(map(str, item["loc"])) for item in error.errors()]
        rules = [item["type"] for item in error.errors()]
        failures = [{"path": path, "rule": rule} for path, rule in zip(paths, rules, strict=True)]
        detail = f"See {', '.join(sorted(set(paths)))}."
        return Problem(422, "invalid_request", "The request is invalid", detail, {"errors": failures})
    if isinstance(error, HTTPException):
        title, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == 405:
            known = filter(None, headers.get("Allow", "").split(", "))
            headers["Allow"] = methods.allowed(request.app.routes, request.scope, known)
        code = "_".join(title.lower().split())
        return Problem(error.status_code, code, title, "See /docs for what there is.", headers=headers)
    return internal_error(error, request_id(request.scope))
