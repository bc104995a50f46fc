"""Telling a pod's answer from a refusal, a stranger's answer, and trouble that passes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import Any, cast

import httpx
import orjson

from cli.failures import BadAnswer, ClientError, Passing, Refused

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed a little later, or at another pod."""

SILENCE = "nothing came in time"


async def check(response: httpx.Response, media_type: str) -> None:
    """Let a success of the right type pass; its body is not read.

    Raises:
        Passing: what may go well a little later, or at another pod.
        Refused, BadAnswer: what will not.
    """
    if not response.is_success:
        await response.aread()
        error = _refusal(response)
        if response.status_code in PASSING:
            raise Passing(str(error), _retry_after(response), error)
        raise error
    if media_type not in response.headers.get("content-type", ""):
        raise _stranger(response)
    response.encoding = "utf-8"  # which all of ours are, whatever a proxy declares


@contextlib.contextmanager
def broken_off() -> Generator[None]:
    """Turn a connection's failure inside into Passing."""
    try:
        yield
    except httpx.RequestError as error:
        raise Passing(_reason(error), silent=isinstance(error, httpx.ReadTimeout)) from error


def _refusal(response: httpx.Response) -> ClientError:
    """The error for an answer, already read, that is not what was asked for."""
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and "code" in document:
        return Refused(response.status_code, cast("dict[str, Any]", document))
    return _stranger(response)


def _stranger(response: httpx.Response) -> BadAnswer:
    """The error for an answer that no pod gives; its body need not have been read."""
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    where = f"{response.url.scheme}://{response.url.netloc.decode()}"
    return BadAnswer(
        f"{where} answered {response.status_code} with {kind}, which no Taskreel pod does: check the URL"
    )


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds in Retry-After; None when there are none (a date is not understood)."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _reason(error: httpx.RequestError) -> str:
    """Why a request came to nothing, in a few words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            # asyncio puts an address into strerror; names that can't be resolved have numbers below 0.
            return (os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ReadTimeout):
        return SILENCE
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection broke off"
    return str(error) or type(error).__name__
