"""Log fields: what a line bears beside its message, so that all lines of a task or a request can be found."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FIELDS = (
    "worker",
    "request_id",
    "task",
    "attempt",
    "trace_id",
    "method",
    "route",
    "status",
    "seconds",
    "tenant",
    "subject",
)
"""Every field there is. What a graph, or a library, gives to a log under other names is left out."""

_of_process: dict[str, Any] = {}
_of_context: ContextVar[dict[str, Any] | None] = ContextVar("log fields", default=None)


def always(**fields: str) -> None:
    """Have each line of this process bear these fields, from whatever thread; an empty one no longer."""
    _of_process.update(fields)


@contextmanager
def about(**fields: str | int) -> Generator[None]:
    """Have the lines within the context bear these fields; empty ones are none.

    Tasks of asyncio's that begin there inherit them, so no loop that serves others as well must begin there.
    """
    token = _of_context.set({**(_of_context.get() or {}), **_some(fields)})
    try:
        yield
    finally:
        _of_context.reset(token)


def also(**fields: str | int) -> None:
    """Have the lines bear these fields too, as long as the innermost `about` lasts."""
    within = _of_context.get()
    if within is not None:
        within.update(_some(fields))


def known() -> dict[str, Any]:
    """The fields that hold here."""
    return {**_some(_of_process), **(_of_context.get() or {})}


def _some(fields: dict[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in fields.items() if value}
