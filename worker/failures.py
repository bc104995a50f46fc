"""The terminal events of tasks that fail. Pure."""

from __future__ import annotations

from events.model import JSON, Event, EventType


def failed(code: str, message: str, **more: JSON) -> Event:
    """The terminal event of a failure; the message is cut at 2,000 characters."""
    return Event(EventType.TASK_FAILED, {"code": code, "message": message[:2000], **more})


def timed_out(seconds: float) -> Event:
    """The terminal event of a task that has run for longer than it may."""
    return failed("timeout", f"the task has run for {seconds:g} s and has not ended")
