"""Principals: who a request is from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from starlette.types import Scope

from events.apikeys import Role
from events.tenancy import ANYBODY, DEFAULT, qualify

_SCOPE = "taskreel.principal"


class Permission(StrEnum):
    """What a route asks of a principal's role."""

    SUBMIT = "submit"
    READ = "read"
    CHANGE = "change"
    """To cancel a task, or to answer it."""


_PERMISSIONS = {
    Role.SUBMIT: frozenset(Permission),
    Role.READ: frozenset({Permission.READ}),
    Role.OPS: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request is from.

    Attributes:
        tenant: whose tasks it deals with.
        subject: its name within the tenant.
        role: what it may do.
        credential: the id of what it showed, by which that can be revoked; empty for nothing.
        expires_at: when that ends, in Unix seconds; None for never.
    """

    tenant: str
    subject: str
    role: Role
    credential: str
    expires_at: float | None

    def may(self, permission: Permission) -> bool:
        """Whether its role has that permission, on some task at least."""
        return permission in _PERMISSIONS[self.role]

    @property
    def sees_all(self) -> bool:
        """Whether it may see the tasks of others in its tenant."""
        return self.role is not Role.SUBMIT

    def task_id(self, bare_id: str) -> str:
        """The system's id for what the principal calls that."""
        return qualify(self.tenant, bare_id)


NOBODY_ASKED = Principal(DEFAULT, ANYBODY, Role.OPS, "", None)
"""Everybody, while TASKREEL_AUTH is off."""


def set_principal(scope: Scope, principal: Principal) -> None:
    """Note who a request is from; the gate does."""
    scope[_SCOPE] = principal


def known_principal(scope: Scope) -> Principal | None:
    """Who a request is from, if that is known."""
    return scope.get(_SCOPE)


def principal_of(scope: Scope) -> Principal:
    """Who a request is from; each that came through the gate has one, unless its path is open to all."""
    return scope[_SCOPE]
