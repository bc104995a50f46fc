"""Tenants: whose a task is, as part of its name. Pure.

Inside the system a task's id names its tenant: `acme/0190…`; a task of the tenant `default` has the bare id,
as all have where nobody is asked who they are. So whoever has a task's id has its keys, and no two tenants
ever share one. The outside sees the bare id: there the tenant is known from the credential.
"""

from __future__ import annotations

import re
from urllib.parse import quote

DEFAULT = "default"
"""The tenant of those who aren't asked who they are."""

ANYBODY = "anonymous"
"""Their subject."""

TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What a tenant may be called: a label that needs no escape in a key, a channel or a file's name."""


def qualify(tenant: str, name: str) -> str:
    """A tenant's name for something, unlike every other tenant's name for anything.

    Raises:
        ValueError: no tenant can be called that.
    """
    if TENANT.fullmatch(tenant) is None:
        raise ValueError("a tenant's name has 1 to 63 of a-z, 0-9, _ and -, and begins with neither _ nor -")
    return name if tenant == DEFAULT and "/" not in name else f"{tenant}/{name}"


def of_subject(subject: str, name: str) -> str:
    """A subject's name for something, unlike every other subject's in its tenant.

    Those who aren't asked who they are have plain names, as long as these look like nobody else's.
    """
    return name if subject == ANYBODY and "/" not in name else f"{quote(subject, safe='')}/{name}"


def split(qualified: str) -> tuple[str, str]:
    """The reverse: the tenant and its name for it."""
    tenant, slash, name = qualified.partition("/")
    return (tenant, name) if slash else (DEFAULT, qualified)


def tenant_of(qualified: str) -> str:
    """The tenant alone."""
    return split(qualified)[0]


def bare(qualified: str) -> str:
    """The name alone, as the tenant itself knows it."""
    return split(qualified)[1]
