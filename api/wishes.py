"""What people want of a task under way: POST /tasks/{id}/cancel and /resume."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api.auth.principal import Permission
from api.body import read_json
from api.openapi import described
from api.openapi.formats import TaskId
from api.problems import Problem
from api.routes import JSON_ONLY, Caller, ThePod, json_answer
from api.schemas import ResumeRequest, Wish
from events.model import START, Status
from events.state import TaskState

router = APIRouter(dependencies=JSON_ONLY)


@router.post("/tasks/{task_id}/cancel", status_code=202, response_model=Wish, **described.CANCEL)
async def cancel_task(task_id: TaskId, pod: ThePod, caller: Caller) -> Response:
    """Cancel a task. It may be asked again; a task that has ended answers 409 `already_ended`."""
    task = await pod.access.task(caller, task_id, Permission.CHANGE)
    await pod.log.locate(task, START)
    await pod.control.cancel(task)
    return json_answer({"task_id": task_id, "status": Status.CANCELLING}, 202)


@router.post("/tasks/{task_id}/resume", status_code=202, response_model=Wish, **described.RESUME)
async def resume_task(task_id: TaskId, request: Request, pod: ThePod, caller: Caller) -> Response:
    """Answer a task that waits at an `interrupt()`; it goes on. Others answer 409 `not_waiting`."""
    task = await pod.access.task(caller, task_id, Permission.CHANGE)
    await pod.log.locate(task, START)
    body = await read_json(request)
    try:
        answer = ResumeRequest.model_validate(body)
    except ValidationError:
        detail = "The body is an object with value and, if there are several questions, interrupt_id."
        raise Problem(422, "invalid_request", "The request is invalid", detail) from None
    state = await pod.tasks.get(task)
    _check_interrupt(state, answer.interrupt_id)
    await pod.control.answer(state, answer.interrupt_id, answer.value)
    return json_answer({"task_id": task_id, "status": Status.QUEUED}, 202)


def _check_interrupt(state: TaskState, interrupt_id: str | None) -> None:
    """A waiting task's questions are known; an answer must belong to one of them."""
    if state.status is not Status.WAITING:
        return
    known = state.questions
    if interrupt_id is None and len(known) > 1:
        detail = "Several questions are open: say by interrupt_id which one this answers."
        raise Problem(422, "interrupt_id_needed", "Which question?", detail, {"interrupt_ids": known})
    if interrupt_id is not None and interrupt_id not in known:
        detail = "No open question has this id."
        raise Problem(422, "unknown_interrupt", "No such question", detail, {"interrupt_ids": known})
