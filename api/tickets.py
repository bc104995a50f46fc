"""What a page needs for its credential: who that stands for, and tickets to streams."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api import schemas
from api.auth.principal import Permission
from api.openapi import described
from api.openapi.formats import TaskId
from api.routes import JSON_ONLY, Caller, ThePod, json_answer
from events.model import START, timestamp

router = APIRouter(dependencies=JSON_ONLY)


@router.get("/whoami", response_model=schemas.Caller, **described.WHOAMI)
async def whoami(pod: ThePod, caller: Caller) -> Response:
    """Show who the credential stands for."""
    end = caller.expires_at
    return json_answer(
        {
            "auth": pod.identity.auth,
            "tenant": caller.tenant,
            "subject": caller.subject,
            "role": caller.role,
            "expires_at": None if end is None else timestamp(round(end * 1000)),
        }
    )


@router.post("/tasks/{task_id}/ticket", status_code=201, response_model=schemas.Ticket, **described.TICKET)
async def make_ticket(task_id: TaskId, pod: ThePod, caller: Caller) -> Response:
    """Make a ticket to a task's stream, for an EventSource. It opens that one, once, within 30 s."""
    await pod.log.locate(await pod.access.task(caller, task_id, Permission.READ), START)
    ticket, said = await pod.identity.tickets.issue(caller, task_id)
    stream = f"/tasks/{task_id}/stream?ticket={ticket}"
    end = timestamp(round(said.expires_at * 1000))
    return json_answer({"ticket": ticket, "expires_at": end, "stream": stream}, 201)
