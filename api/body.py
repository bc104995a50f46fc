"""Reading a JSON body that may be hostile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.requests import Request

from api.problems import Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64


async def read_json(request: Request) -> Any:
    """The request's body as JSON.

    Raises:
        Problem: 415 it isn't declared as JSON; 413 over 1 MiB; 400 `invalid_json`, which NaN and lone
            surrogates are as well; 400 `too_deep`, over 64 levels.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(
            415, "unsupported_media_type", "Not a JSON request", "Send Content-Type: application/json."
        )
    raw = await _read(request)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("depth limit"):
            raise _too_deep() from None
        # The error's text may quote the body; its position doesn't.
        detail = f"The body is not JSON in UTF-8: see line {error.lineno}, column {error.colno}."
        raise Problem(400, "invalid_json", "The body is not JSON", detail) from None
    if _depth(value) > MAX_DEPTH:
        raise _too_deep()
    return value


def _too_deep() -> Problem:
    return Problem(400, "too_deep", "The body is nested too deeply", f"It may have {MAX_DEPTH} levels.")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(413, "too_large", "The body is too large", f"It may have {MAX_BYTES} bytes.")
    return bytes(body)


def _depth(value: Any) -> int:
    """How many objects and arrays lie in each other; counts no further than it must, without recursion."""
    depth = 0
    level: list[Any] = [value]
    while depth <= MAX_DEPTH:
        level = [box for box in level if isinstance(box, (dict, list))]
        if not level:
            break
        depth += 1
        level = [item for box in level for item in _items(box)]
    return depth


def _items(box: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return box.values() if isinstance(box, dict) else box
