"""What a browser is shown: static files, as they are, under a policy that lets nothing of another host in."""

from __future__ import annotations

import os
from pathlib import Path

import fastapi_offline
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "console"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
"""Content-Security-Policy: even if text of an event became markup, it could run and fetch nothing."""

DOCS_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Swagger UI's icons are in its style sheet."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Told here, for Python's own table depends on the machine, and a browser runs no module of another type."""


class Pages(StaticFiles):
    """The files of one folder, and of none beside it.

    Args:
        folder: which.
        policy: the Content-Security-Policy of each.

    Raises:
        HTTPException: 404 for what isn't there, 405 for any method but GET and HEAD.
    """

    def __init__(self, folder: Path, policy: str) -> None:
        super().__init__(directory=folder)
        # An upgraded pod's files are asked for at once; unchanged ones are a 304.
        self._headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """A file, or 304 if the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        kind = TYPES.get(Path(full_path).suffix)
        if kind is not None and response.status_code != 304:
            response.headers["Content-Type"] = kind
        return response


def console_routes() -> list[BaseRoute]:
    """`/`, which is the console's page, `/console/…`, its modules and styles, and the icon of all pages."""
    console = Pages(FOLDER, POLICY)

    async def index(request: Request) -> Response:
        return await console.get_response("index.html", request.scope)

    async def icon(request: Request) -> Response:
        return await console.get_response("favicon.svg", request.scope)

    # A browser asks for /favicon.ico by itself wherever a page names none, such as a JSON document.
    return [Route("/", index), Route("/favicon.ico", icon), Mount("/console", console)]


def docs_routes() -> list[BaseRoute]:
    """`/docs`, which is the API's page, and what it loads: Swagger UI, as fastapi_offline brings it along."""
    page = Pages(FOLDER, DOCS_POLICY)
    files = Path(fastapi_offline.__file__).parent / "static"

    async def docs(request: Request) -> Response:
        return await page.get_response("docs/index.html", request.scope)

    return [Route("/docs", docs), Mount("/docs/files", Pages(files, DOCS_POLICY))]
