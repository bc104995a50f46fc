"""The terminal events of tasks that fail. Pure."""

from __future__ import annotations

from events.model import JSON, Event, EventType

MAX_MESSAGE = 2000
"""Characters that are told of an error."""


def failed(code: str, message: str, **more: JSON) -> Event:
    """The terminal event of a failure; its message is shortened."""
    return Event(EventType.TASK_FAILED, {"code": code, "message": shortened(message), **more})


def shortened(message: str) -> str:
    """At most 2,000 characters of it, up to a space if there's one in the second half of them.

    A secret that is cut in two may not be known by its half, and so be told.
    """
    if len(message) <= MAX_MESSAGE:
        return message
    words = message[:MAX_MESSAGE].rpartition(" ")[0]
    return words if len(words) > MAX_MESSAGE // 2 else message[:MAX_MESSAGE]


def timed_out(seconds: float) -> Event:
    """The terminal event of a task that has run for longer than it may."""
    return failed("timeout", f"the task has run for {seconds:g} s and has not ended")
