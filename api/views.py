"""Task states as the outside sees them. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from api.problems import Problem
from api.stream import check_task_id
from events.errors import TaskNotFound
from events.model import EventType, Status
from events.tasks import TaskState


def accepted_view(state: TaskState) -> dict[str, Any]:
    """The answer to a submit."""
    here = f"/tasks/{state.task_id}"
    return {
        "task_id": state.task_id,
        "status": state.status,
        "graph": state.record["graph"],
        "created_at": state.record["created_at"],
        "links": {
            "self": here,
            "stream": f"{here}/stream",
            "events": f"{here}/events",
            "cancel": f"{here}/cancel",
        },
    }


def task_view(state: TaskState) -> dict[str, Any]:
    """A task as `GET /tasks/{id}` shows it."""
    record = state.record
    view: dict[str, Any] = {
        "task_id": state.task_id,
        "graph": record["graph"],
        "status": state.status,
        "attempt": state.last.id.attempt,
        "created_at": record["created_at"],
        "started_at": record.get("started_at"),
        "ended_at": state.last.event["ts"] if state.last.terminal else None,
        "last_event_id": str(state.last.id),
        "first_event_id": str(state.first.id),
        "thread_id": record["thread_id"],
        "metadata": orjson.loads(record.get("metadata", "{}")),
    }
    if "worker" in record:
        view["worker"] = record["worker"]
    return view | _outcome(state)


def _outcome(state: TaskState) -> dict[str, Any]:
    data = state.last.event["data"]
    if state.last.type is EventType.TASK_SUCCEEDED:
        return {"result": data["result"]}
    if state.last.type is EventType.TASK_FAILED:
        return {"error": data}
    if state.status is Status.WAITING:
        return {"interrupts": data["interrupts"]}
    return {}


def write_cursor(task_id: str) -> str:
    """An opaque cursor for the task list."""
    return base64.urlsafe_b64encode(task_id.encode()).decode()


def read_cursor(cursor: str) -> str:
    """The reverse. Raises Problem, 400 `invalid_cursor`."""
    try:
        return check_task_id(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (binascii.Error, UnicodeError, TaskNotFound):
        detail = "Pass the `next` of the page before, as it is."
        raise Problem(400, "invalid_cursor", "The cursor is not one of ours", detail) from None
