"""Access: what a principal may do to which task."""

from __future__ import annotations

import re

from api.auth.principal import Permission, Principal
from api.problems import Problem
from events.errors import TaskNotFound
from events.tasks import TaskStore

_TASK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check_task_id(task_id: str) -> str:
    """A canonical UUID, or TaskNotFound: no other string was ever a task's id."""
    if _TASK_ID.fullmatch(task_id) is None:
        raise TaskNotFound
    return task_id


def require(principal: Principal, permission: Permission) -> None:
    """Raises Problem, 403 `forbidden`, if the principal's role lacks a permission."""
    if not principal.may(permission):
        detail = f"Your role, {principal.role}, doesn't permit it. Use a credential with another role."
        raise Problem(403, "forbidden", "Your role does not permit this", detail)


class Access:
    """Decides who may have which task.

    A task of another tenant has another name, so it's looked for, and not found, like one that never was. So
    is one of another subject's, for whom may see its own alone.
    """

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks

    async def task(self, principal: Principal, bare_id: str, permission: Permission) -> str:
        """The system's id of a task that the principal has that permission for.

        Raises:
            Problem: 403 `forbidden`: its role has it for no task.
            TaskNotFound: there is no such task that it may know of.
        """
        require(principal, permission)
        task_id = principal.task_id(check_task_id(bare_id))
        if not principal.sees_all and await self._tasks.subject(task_id) != principal.subject:
            raise TaskNotFound
        return task_id
