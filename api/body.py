"""Reading a JSON body that may be hostile."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from api.problems import Problem

MAX_DEPTH = 64

_LARGE = 2.0**63
"""From here on a number may have been written as an integer of over 64 bits."""


async def read_json(request: Request) -> Any:
    """The request's body as JSON.

    Raises:
        Problem: 415 it isn't declared as JSON; 400 `invalid_json`, which NaN, lone surrogates and integers
            that would lose digits are as well; 400 `too_deep`, over 64 levels. Its size and its pace are the
            protocol's business.
    """
    if not _is_plain_json(request):
        detail = "Send Content-Type: application/json, in UTF-8 and with no Content-Encoding."
        raise Problem(415, "unsupported_media_type", "Not a JSON request", detail)
    try:
        raw = await request.body()
    except ClientDisconnect:  # nobody reads the answer
        raise Problem(400, "bad_request", "The request is malformed", "It ended too early.") from None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("depth limit"):
            raise _too_deep() from None
        # The error's text may quote the body; its position doesn't.
        where = f"line {error.lineno}, column {error.colno}"
        detail = f"The body is not JSON in UTF-8, or has a number that is out of range: see {where}."
        raise Problem(400, "invalid_json", "The body is not JSON", detail) from None
    depth, largest = _extent(value)
    if depth > MAX_DEPTH:
        raise _too_deep()
    if largest >= _LARGE and _loses_digits(raw):
        detail = "An integer of over 64 bits would lose digits here; send it as a string."
        raise Problem(400, "invalid_json", "The body is not JSON", detail)
    return value


def _is_plain_json(request: Request) -> bool:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    _, _, charset = parameters.lower().partition("charset=")
    return (
        media_type.strip().lower() == "application/json"
        and charset.strip(' "') in ("", "utf-8")
        and request.headers.get("content-encoding", "identity") == "identity"
    )


def _too_deep() -> Problem:
    return Problem(400, "too_deep", "The body is nested too deeply", f"It may have {MAX_DEPTH} levels.")


def _extent(value: Any) -> tuple[int, float]:
    """How many objects and arrays lie in each other, and the largest size of a float among them.

    Counts no further than it must, without recursion.
    """
    depth, largest = 0, 0.0
    level: list[Any] = [value]
    while level and depth <= MAX_DEPTH:
        largest = max([largest, *[abs(item) for item in level if isinstance(item, float)]])
        boxes: list[Any] = [box for box in level if isinstance(box, (dict, list))]
        depth += bool(boxes)
        level = [item for box in boxes for item in _items(box)]
    return depth, largest


def _items(box: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return box.values() if isinstance(box, dict) else box


def _loses_digits(raw: bytes) -> bool:
    """Whether orjson has made a float of an integer that isn't what a float is written as.

    JavaScript writes its numbers below 1e21 with all digits; those come back as they were.
    """
    lost = False

    def parse(digits: str) -> float:
        nonlocal lost
        number = float(digits)
        lost = lost or (abs(number) >= _LARGE and _differ(digits, number))
        return number

    json.loads(raw, parse_int=parse)
    return lost


def _differ(digits: str, number: float) -> bool:
    written = Decimal(digits)
    if -(2**63) <= written < 2**64:
        return False  # orjson kept it
    return written not in (Decimal(repr(number)), Decimal(number))
