"""A page that follows a task with the console's own module, outside of the console."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from tests.support.browser import Tabs
from tests.support.logs import ids
from tests.support.waiting import wait_until

TEN = ["0-1", *ids("1-2", "1-10")]
"""What the fixture `ten` has."""

FOLLOW = """async (taskId) => {
  const { TaskStream } = await import("/console/stream/stream.js");
  const [seen, states, notices] = [[], [], []];
  const stream = new TaskStream(taskId, {
    onEvent: (event, id) => seen.push(`${event.attempt}-${event.seq}` === id ? id : `not ${id}`),
    onState: (state) => states.push(state),
    onNotice: (notice) => notices.push({ ...notice, cursor: stream.cursor }),
  });
  window.probe = { seen, states, notices, stream };
  stream.open();
}"""


class Probe:
    """A page that follows a task with the console's module, and what has come of it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def seen(self) -> list[str]:
        """The ids of the events, as they came."""
        return await self.page.evaluate("() => probe.seen")

    async def notices(self) -> list[dict[str, Any]]:
        """The notices, as they came, each with where the page was then."""
        return await self.page.evaluate("() => probe.notices")

    async def states(self) -> list[dict[str, Any]]:
        """The states, as they came, without their times."""
        told = await self.page.evaluate("() => probe.states")
        return [{name: it[name] for name in it if name not in ("since", "retryAt")} for it in told]

    async def kinds(self) -> list[str]:
        """The states' kinds, as they came."""
        return [state["kind"] for state in await self.states()]

    async def until(self, *kinds: str) -> dict[str, Any]:
        """The state, once it is of one of these kinds."""
        state: dict[str, Any] = {}

        async def reached() -> bool:
            nonlocal state
            state = (await self.states())[-1]
            return state["kind"] in kinds

        await wait_until(reached)
        return state

    async def resumed(self) -> None:
        """Wait until it is live after a loss."""

        async def back() -> bool:
            return bool((await self.states())[-1].get("resumed"))

        await wait_until(back)

    async def clock_until_resumed(self) -> None:
        """The same for a page whose clock is the test's: let minutes pass."""

        async def back() -> bool:
            await self.page.clock.run_for(5000)
            return bool((await self.states())[-1].get("resumed"))

        await wait_until(back)

    async def has(self, event_id: str) -> None:
        """Wait until that event has come."""

        async def come() -> bool:
            return event_id in await self.seen()

        await wait_until(come)


async def follow(tabs: Tabs, task_id: str) -> Probe:
    """A page that begins to follow the task."""
    probe = Probe(await tabs.blank())
    await probe.page.evaluate(FOLLOW, task_id)
    return probe
