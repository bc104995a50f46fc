"""Losses of a whole server's, as all its clients see them."""

from __future__ import annotations

from events.log import EventLog
from events.model import Entry, EventId
from tests.support.attempts import roll_back, server_of


async def lose(log: EventLog, task_id: str, keep: int) -> None:
    """Restart Redis, as its clients see it, with the log's first entries only."""
    await roll_back(log, task_id, keep)
    await server_of(log, task_id).client_kill_filter(_type="normal")


async def history(log: EventLog, task_id: str) -> list[Entry]:
    """The whole log."""
    return await log.read(task_id, EventId(0, 0))
