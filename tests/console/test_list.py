"""The task list: what it shows, how it keeps up, and how one gets about in it."""

from __future__ import annotations

from typing import Any, Literal
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect
from uuid_utils import uuid7

from events.model import now_ms, timestamp
from events.state import Submission
from tests.support.browser import CUT_OFF, PHONE, REFUSED, Tabs, axe
from tests.support.console import ConsoleSystem
from tests.support.waiting import wait_until

TASKS = "#page tbody tr"
UNSERVED = "status of 404 .*/graphs/list-"
"""What Chromium says when the page of a task asks for a graph that no worker serves."""


def new_graph() -> str:
    """A name that no other test's tasks have."""
    return f"list-{uuid4().hex[:8]}"


async def queue(system: ConsoleSystem, graph: str, many: int = 1) -> list[str]:
    """Submit tasks of a graph that no worker serves, so that they stay queued; gives their ids."""
    ids = [str(uuid7()) for _ in range(many)]
    for task_id in ids:
        await system.tasks.submit(Submission(task_id, graph, "nobody", {}, task_id, {}, timestamp(now_ms())))
        await system.log.redis.zadd(system.log.keys.deadlines, {task_id: now_ms() + 3_600_000})
    return ids


def link(page: Page, task_id: str) -> Any:
    """The link to a task."""
    return page.locator(f"a[href='/?task={task_id}']")


async def test_newest_first_and_what_is_to_know(tabs: Tabs, system: ConsoleSystem) -> None:
    """A row tells the status in words, the graph, the question or the error, and leads to its task."""
    failed = await system.submit("failing", count=5)
    asking = await system.submit("asking", count=77)
    await system.until(failed, "failed")
    await system.until(asking, "waiting")
    page = await tabs.open("/")
    await link(page, asking).wait_for()
    hrefs = await page.eval_on_selector_all(f"{TASKS} a", "links => links.map(a => a.getAttribute('href'))")
    assert hrefs.index(f"/?task={asking}") < hrefs.index(f"/?task={failed}")
    rows = page.locator(TASKS)
    asked = await rows.filter(has=link(page, asking)).inner_text()
    assert "waiting" in asked
    assert "Is 77 enough?" in asked
    assert (
        "graph_error: ValueError: cannot count to 5" in await rows.filter(has=link(page, failed)).inner_text()
    )
    assert await link(page, failed).get_attribute("title") == failed


async def test_filters_are_addresses(tabs: Tabs, system: ConsoleSystem) -> None:
    """A status and a graph are chosen, stand in the address, hold after a reload, and Back undoes them."""
    graph = new_graph()
    (task_id,) = await queue(system, graph)
    page = await tabs.open(f"/?graph={graph}")
    await link(page, task_id).wait_for()
    assert await page.get_by_label("Graph").input_value() == graph
    await page.get_by_role("link", name="failed").click()
    await page.get_by_text(f"There is no failed {graph} task.").wait_for()
    assert page.url.endswith(f"/?status=failed&graph={graph}")
    await page.go_back()
    await link(page, task_id).wait_for()
    await page.go_forward()
    await page.get_by_text(f"There is no failed {graph} task.").wait_for()
    await page.reload()
    await page.get_by_text(f"There is no failed {graph} task.").wait_for()
    await page.go_back()
    await link(page, task_id).wait_for()
    await page.get_by_role("link", name="queued").press("Enter")
    await expect(page.get_by_role("link", name="queued")).to_be_focused()
    await page.get_by_label("Graph").select_option("counting")
    await expect(page).to_have_url(f"{system.url}/?status=queued&graph=counting")
    await page.goto(f"/?status=failed&graph={graph}")
    await page.get_by_role("link", name="Clear the filters").click()
    await expect(page).to_have_url(f"{system.url}/")


async def test_rows_change_in_place(tabs: Tabs, system: ConsoleSystem) -> None:
    """A new task comes in above, an old one changes its status, and neither row nor focus is made anew."""
    graph = new_graph()
    first, second = await queue(system, graph, 2)
    page = await tabs.open(f"/?graph={graph}")
    await link(page, first).focus()
    await link(page, first).evaluate("(node) => { node.closest('tr').mine = true; }")
    await system.client.post(f"/tasks/{first}/cancel")
    (third,) = await queue(system, graph)
    row = page.locator(TASKS).filter(has=link(page, first))
    await expect(row.locator(".status")).to_have_text("cancelled")
    await link(page, third).wait_for()
    hrefs = await page.eval_on_selector_all(f"{TASKS} a", "links => links.map(a => a.search.slice(6))")
    assert hrefs == [third, second, first]
    await expect(link(page, first)).to_be_focused()
    assert await link(page, first).evaluate("(node) => node.closest('tr').mine")


async def test_pages(tabs: Tabs, system: ConsoleSystem) -> None:
    """Fifty to a page; older ones and the newest are a click away, and each page has its address."""
    graph = new_graph()
    ids = await queue(system, graph, 53)
    page = await tabs.open(f"/?graph={graph}")
    await expect(page.locator(TASKS)).to_have_count(50)
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator(TASKS)).to_have_count(3)
    assert "cursor=" in page.url
    await link(page, ids[0]).wait_for()
    await page.reload()
    await expect(page.locator(TASKS)).to_have_count(3)
    assert await page.get_by_role("link", name="Older").count() == 0
    await page.get_by_role("link", name="Newest").click()
    await link(page, ids[-1]).wait_for()


async def test_a_dead_pod_is_told(tabs: Tabs, system: ConsoleSystem) -> None:
    """Old rows stay, it's said that the pod doesn't answer, and once it does the list goes on by itself."""
    graph = new_graph()
    (task_id,) = await queue(system, graph)
    page = await tabs.open(f"/?graph={graph}")
    await link(page, task_id).wait_for()
    tabs.allow(REFUSED, CUT_OFF)
    await system.pod.kill()
    await page.get_by_text("The pod doesn't answer; trying again in").wait_for()
    assert await link(page, task_id).is_visible()
    (later,) = await queue(system, graph)
    await system.pod.start()
    await link(page, later).wait_for()
    await expect(page.get_by_text("The pod doesn't answer")).to_be_hidden()


async def test_by_keyboard(tabs: Tabs, system: ConsoleSystem) -> None:
    """Among the rows arrows and the letters j and k move; Enter opens one; Back comes back."""
    graph = new_graph()
    first, second = await queue(system, graph, 2)
    tabs.allow(UNSERVED)
    page = await tabs.open(f"/?graph={graph}")
    await link(page, first).wait_for()
    await page.keyboard.press("j")
    await expect(link(page, second)).not_to_be_focused()
    await link(page, second).focus()
    await page.keyboard.press("ArrowDown")
    await expect(link(page, first)).to_be_focused()
    await page.keyboard.press("j")
    await expect(link(page, first)).to_be_focused()
    await page.keyboard.press("k")
    await expect(link(page, second)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{system.url}/?task={second}")
    await page.go_back()
    await link(page, first).wait_for()


async def test_the_whole_row_is_the_link(tabs: Tabs, system: ConsoleSystem) -> None:
    """A click anywhere in a row opens its task, and no other."""
    graph = new_graph()
    _, task_id = await queue(system, graph, 2)
    tabs.allow(UNSERVED)
    page = await tabs.open(f"/?graph={graph}")
    await page.locator(TASKS).first.click(position={"x": 600, "y": 10})
    await expect(page).to_have_url(f"{system.url}/?task={task_id}")


async def test_a_hidden_page_asks_nothing(tabs: Tabs, system: ConsoleSystem) -> None:
    """A minute unseen costs the pod nothing; seen again, the list is up to date at once."""
    graph = new_graph()
    (first,) = await queue(system, graph)
    page = await tabs.open(f"/?graph={graph}")
    await link(page, first).wait_for()
    await page.clock.install()
    await page.evaluate(_HIDE, True)
    (second,) = await queue(system, graph)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.run_for(60_000)
    assert not asked
    await page.evaluate(_HIDE, False)
    await link(page, second).wait_for()


_HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_an_address_that_asks_for_nonsense(tabs: Tabs, system: ConsoleSystem) -> None:
    """It is told, with the way out; markup in an address is text."""
    tabs.allow("status of 422")
    page = await tabs.open("/?status=odd&graph=<img src=x onerror=alert(1)>")
    await page.locator(".list-notice").get_by_text("asks for what there isn't").wait_for()
    assert await page.locator("#page img").count() == 0
    await page.get_by_role("link", name="Clear the filters").click()
    await expect(page.locator(".list-notice")).to_be_hidden()
    assert system.url in page.url


@pytest.mark.parametrize(("scheme", "looks"), [("light", {}), ("dark", PHONE)])
async def test_the_list_is_accessible(
    tabs: Tabs, system: ConsoleSystem, scheme: Literal["light", "dark"], looks: dict[str, Any]
) -> None:
    """Axe finds nothing in a list with tasks in several states, on a wide page and on a phone's."""
    for graph in ("failing", "asking"):
        await system.until(await system.submit(graph), "failed", "waiting")
    page = await tabs.open("/", scheme=scheme, looks=looks)
    await page.locator(TASKS).first.wait_for()
    assert await axe(page) == []
    width = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


async def test_times_go_on(tabs: Tabs, system: ConsoleSystem) -> None:
    """A running task's duration ticks by itself, without an answer of the pod's."""
    task_id = await system.submit("counting", count=100, pause=60)
    await system.until(task_id, "running")
    page = await tabs.open("/?status=running&graph=counting")
    cell = page.locator(TASKS).filter(has=link(page, task_id)).locator(".list-duration")
    await cell.wait_for()
    await page.evaluate(_HIDE, True)  # no more questions, but perhaps for the answer to the last one
    seen: set[str] = set()

    async def ticks() -> bool:
        seen.add(await cell.inner_text())
        return len(seen) > 3

    await wait_until(ticks)
    await system.client.post(f"/tasks/{task_id}/cancel")
