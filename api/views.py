"""Task states as the outside sees them. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from api.auth.access import check_task_id
from api.problems import Problem
from events.errors import TaskNotFound
from events.model import EventType, Status
from events.state import TaskState
from events.tenancy import bare


def accepted_view(state: TaskState) -> dict[str, Any]:
    """The answer to a submit."""
    here = f"/tasks/{bare(state.task_id)}"
    return {
        "task_id": bare(state.task_id),
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
    view = summary_view(state)
    if state.last.type is EventType.TASK_SUCCEEDED:
        view["result"] = state.last.event["data"]["result"]
    return view


def summary_view(state: TaskState) -> dict[str, Any]:
    """A task as `GET /tasks` shows it: all but its result, which may have 1 MiB."""
    record = state.record
    view: dict[str, Any] = {
        "task_id": bare(state.task_id),
        "graph": record["graph"],
        "status": state.status,
        "attempt": state.last.id.attempt,
        "created_at": record["created_at"],
        "started_at": record.get("started_at"),
        "ended_at": state.last.event["ts"] if state.last.terminal else None,
        "last_event_id": str(state.last.id),
        "first_event_id": str(state.first.id),
        "thread_id": record.get("shown_thread_id", record["thread_id"]),
        "metadata": orjson.loads(record.get("metadata", "{}")),
    }
    if "worker" in record:
        view["worker"] = record["worker"]
    if state.last.type is EventType.TASK_FAILED:
        view["error"] = state.last.event["data"]
    if state.status is Status.WAITING:
        view["interrupts"] = state.last.event["data"]["interrupts"]
    return view


def write_cursor(task_id: str) -> str:
    """An opaque cursor for the task list."""
    return base64.urlsafe_b64encode(task_id.encode()).decode()


def read_cursor(cursor: str) -> str:
    """The reverse. Raises Problem, 400 `invalid_cursor`."""
    try:
        task_id = check_task_id(base64.urlsafe_b64decode(cursor.encode()).decode())
        if write_cursor(task_id) == cursor:  # else it's another spelling of one, which we never gave
            return task_id
    except (binascii.Error, UnicodeError, TaskNotFound):
        pass
    detail = "Pass the `next` of the page before, as it is."
    raise Problem(400, "invalid_cursor", "The cursor is not one of ours", detail)
