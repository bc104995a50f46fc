"""API keys for tests."""

from __future__ import annotations

from datetime import datetime

from events.apikeys import KeyDirectory, KeyRecord, Role, new_key


async def made(
    directory: KeyDirectory,
    tenant: str = "acme",
    name: str = "ada",
    role: Role = Role.SUBMIT,
    expires_at: datetime | None = None,
) -> tuple[str, KeyRecord]:
    """A key that holds, and its record."""
    key, record = new_key(tenant, name, role, expires_at)
    await directory.add(record)
    return key, record
