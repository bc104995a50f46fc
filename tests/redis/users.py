"""Redis's users, as tests are them."""

from __future__ import annotations

from typing import Any

from events.connect import connect
from events.settings import Settings
from tests.support.server import Server


def settings_of(server: Server, user: str = "", **more: Any) -> Settings:
    """What a process of that user is started with."""
    return Settings(redis_url=server.url(user), lease_seconds=2, drain_seconds=0, **more)


async def refusals(admin: Any) -> list[str]:
    """What was refused to anybody since the server began."""
    found = await admin.execute_command("ACL", "LOG")
    return [
        f"{entry['username']}: {entry['reason']} {entry['object']} ({entry['context']})" for entry in found
    ]


async def as_user(server: Server, user: str, *words: Any) -> Any:
    """The reply to one command of a user's."""
    client: Any = connect(server.url(user))
    try:
        return await client.execute_command(*words)
    finally:
        await client.aclose()
