"""The ASGI application of a pod: streams straight to their endpoint, everything else through FastAPI."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import AsyncGenerator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import routes, wishes
from api.context import request_id
from api.pod import Pod
from api.problems import Problem, from_error
from api.stream import StreamEndpoint, answer_problem
from events.connect import AWAY
from events.errors import TaskreelError
from events.settings import Settings, load

_STREAM_PATH = re.compile(r"/tasks/([^/]+)/stream")

log = logging.getLogger(__name__)


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

    web = FastAPI(title="Taskreel", version="0.1.0", lifespan=lifespan)
    web.state.pod = pod
    web.include_router(routes.router)
    web.include_router(wishes.router)
    for kind in (Problem, TaskreelError, *AWAY, HTTPException, RequestValidationError, Exception):
        web.add_exception_handler(kind, _problem)
    return Entrance(pod, web, StreamEndpoint(pod.log, pod.streams))


class Entrance:
    """Sends a request where it belongs, and gives it an id.

    A stream's bytes must reach its socket through as few wrappers as can be, and each of a thousand streams
    would keep its own copy of them alive. So streams pass FastAPI by.
    """

    def __init__(self, pod: Pod, web: ASGIApp, stream: ASGIApp) -> None:
        self.pod = pod
        self._web = web
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI's."""
        if scope["type"] != "http":
            return await self._web(scope, receive, send)
        match = _STREAM_PATH.fullmatch(scope["path"])
        if match is not None and scope["method"] in ("GET", "HEAD"):
            scope["path_params"] = {"task_id": match[1]}
            return await self._stream(scope, receive, send)
        header = (b"x-request-id", request_id(scope).encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        return await self._web(scope, receive, send_with_id)


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
        code = "_".join(title.lower().split())
        return Problem(error.status_code, code, title, "See /docs for what there is.", headers=headers)
    log.error("request %s failed", request_id(request.scope), exc_info=error)
    detail = "The fault is ours. The request id leads to it in the pod's log."
    return Problem(500, "internal_error", "Internal error", detail)
