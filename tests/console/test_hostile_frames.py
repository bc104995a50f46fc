"""Hostile events in a real browser's EventSource: each comes as itself, and nothing else comes."""

from __future__ import annotations

from typing import Any

from events.codec import document
from events.model import Entry, Event, EventId, EventType
from tests.fuzz.hostile import LINES
from tests.support.browser import Tabs
from tests.support.console import ConsoleSystem
from tests.support.logs import entries, seal

LISTEN = """async (address) => {
  const seen = [], forged = [], source = new EventSource(address);
  const note = (event) => seen.push([event.lastEventId, event.type, event.data]);
  for (const type of ["task.submitted", "progress", "task.succeeded"]) source.addEventListener(type, note);
  for (const type of ["message", "task.failed"]) source.addEventListener(type, (it) => forged.push(it.data));
  await new Promise((resolve) => {
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && resolve());
  });
  return { seen, forged };
}"""
"""Notes what comes until the source gives up, as it does on the 204 for the very last event's id."""


def hostile() -> list[dict[str, Any]]:
    """The data of events with every hostile line in it: alone, among the others, and as a name."""
    alone = [{"message": line, line: [line, {line: line}]} for line in LINES]
    whole = "".join(LINES)
    return [
        *alone,
        {"message": whole, whole: whole},
        {"message": "\n".join(LINES)},
        {"message": "x" * 200_000},
    ]


async def test_every_hostile_event_comes_as_itself(tabs: Tabs, system: ConsoleSystem) -> None:
    """As many events as the log has, each under its own id with its own bytes; none is forged."""
    task_id = await system.bare_task()
    ids = [EventId(1, seq) for seq in range(2, len(hostile()) + 2)]
    for at, data in zip(ids, hostile(), strict=True):
        raw = document(Event(EventType.PROGRESS, data, node="id: 9-9\n\nevent: task.failed"), at, 0)
        await system.log.redis.xadd(
            system.log.keys.log(task_id), {"type": "progress", "event": raw}, id=str(at)
        )
    await seal(system.tasks, task_id, f"1-{len(ids) + 2}")
    page = await tabs.open("/")
    found = await page.evaluate(LISTEN, f"/tasks/{task_id}/stream")
    assert found["forged"] == []
    assert found["seen"] == [_shown(entry) for entry in await entries(system.log, task_id)]


def _shown(entry: Entry) -> list[str]:
    return [str(entry.id), entry.type, entry.document.decode()]
