"""Playing a task back in the page: by its slider, by its buttons, and by a link to one moment."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.page import badge, listed_ids
from tests.support.tasks import log_ids

LENGTH = 25
"""Events of a task that counts to 20."""


@pytest_asyncio.fixture(loop_scope="session")
async def counted(system: ConsoleSystem) -> str:
    """A task that has counted to 20, within a fifth of a second or more."""
    task_id = await system.submit("counting", count=20, pause=0.01)
    await system.until(task_id, "succeeded")
    return task_id


async def at(page: Page, seq: int) -> None:
    """Wait until the page stands at that event."""
    event_id = f"{min(seq - 1, 1)}-{seq}"
    await expect(page.locator(".transport-where")).to_contain_text(f"{event_id} · {seq}/{LENGTH} events")


async def test_the_slider_goes_through_the_run(tabs: Tabs, system: ConsoleSystem, counted: str) -> None:
    """By key it goes by events; what is shown is what was there then, and the address follows."""
    page = await tabs.open(f"/?task={counted}")
    await at(page, LENGTH)
    slider = page.get_by_role("slider", name="Moment")
    await slider.press("Home")
    await at(page, 1)
    await expect(badge(page)).to_have_text("queued")
    for _ in range(9):
        await slider.press("ArrowRight")
    await at(page, 10)
    await expect(badge(page)).to_have_text("running")
    assert await listed_ids(page) == (await log_ids(system.client, counted))[:10]
    assert page.url.endswith(f"/?task={counted}#at=1-10")
    await slider.press("End")
    await at(page, LENGTH)
    await expect(badge(page)).to_have_text("succeeded")


async def test_the_slider_is_dragged(tabs: Tabs, counted: str) -> None:
    """By pointer it goes by time: the middle of it is between the start and the end."""
    page = await tabs.open(f"/?task={counted}")
    await at(page, LENGTH)
    slider = page.get_by_role("slider", name="Moment")
    box = await slider.bounding_box()
    assert box
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(badge(page)).to_have_text("running")
    assert 1 < len(await listed_ids(page)) < LENGTH


async def test_a_link_leads_to_its_moment(tabs: Tabs, system: ConsoleSystem, counted: str) -> None:
    """Somebody else sees the same, and goes on from there; the copied link is the address."""
    page = await tabs.open(f"/?task={counted}#at=1-7")
    await at(page, 7)
    assert await listed_ids(page) == (await log_ids(system.client, counted))[:7]
    await page.get_by_role("button", name="One event on").click()
    await at(page, 8)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy a link to this moment").click()
    await expect(page.get_by_text("Link copied")).to_be_attached()
    link = await page.evaluate("() => navigator.clipboard.readText()")
    assert link == page.url == f"{system.url}/?task={counted}#at=1-8"


async def test_a_link_to_nothing_is_told(tabs: Tabs, counted: str) -> None:
    """The page stands at the last event before it, and says so for a while; the connection's log keeps it."""
    page = await tabs.open(f"/?task={counted}#at=1-999")
    await at(page, LENGTH)
    await expect(page.locator(".connection-lines")).to_contain_text("The link leads to 1-999")
    assert page.url.endswith(f"/?task={counted}#at=1-{LENGTH}")


async def test_back_leads_from_a_moment_to_the_end(tabs: Tabs, counted: str) -> None:
    """An address without a moment shows the end, however one came to it."""
    page = await tabs.open(f"/?task={counted}")
    await at(page, LENGTH)
    await page.evaluate("() => { location.hash = '#at=1-4'; }")
    await at(page, 4)
    await page.go_back()
    await at(page, LENGTH)


async def test_a_moment_survives_a_lost_pod(tabs: Tabs, system: ConsoleSystem) -> None:
    """Who looks at a moment stays there when the connection is made again; it isn't said to be missing."""
    tabs.allow(REFUSED, CUT_OFF)
    task_id = await system.submit("counting", count=10_000, pause=0.1)
    page = await tabs.open(f"/?task={task_id}")
    await page.wait_for_function("() => Number(document.querySelector('[role=option]')?.ariaSetSize) > 5")
    await page.evaluate("() => { location.hash = '#at=1-3'; }")
    await expect(page.locator(".transport-where")).to_contain_text("1-3 · 3/")
    await system.pod.kill()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    await system.pod.start()
    lines = page.locator(".connection-lines")
    await expect(lines).to_contain_text("Resumed at 1-")
    await expect(page.locator(".transport-where")).to_contain_text("1-3 · 3/")
    await expect(lines).not_to_contain_text("The link leads to 1-3")
    await system.client.post(f"/tasks/{task_id}/cancel")


async def test_it_plays_from_the_start_to_the_end(tabs: Tabs, counted: str) -> None:
    """Each moment on the way shows no more than had come by then; at the end it stands still."""
    page = await tabs.open(f"/?task={counted}")
    await at(page, LENGTH)
    await page.get_by_label("Speed").select_option("2")
    await page.evaluate(
        """() => {
          window.counts = [];
          const where = document.querySelector(".transport-where");
          const note = () => window.counts.push(Number(/ ([0-9]+)[/]/.exec(where.textContent)[1]));
          new MutationObserver(note).observe(where, { childList: true, characterData: true, subtree: true });
        }"""
    )
    await page.get_by_role("button", name="Play").click()
    await page.wait_for_function(f"() => window.counts.length > 1 && window.counts.at(-1) === {LENGTH}")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()
    counts = await page.evaluate("() => window.counts")
    assert counts == sorted(counts)
    assert counts[0] < LENGTH


async def test_it_jumps_to_the_first_failure(tabs: Tabs, system: ConsoleSystem) -> None:
    """One press leads to the event that failed; the log goes on behind it."""
    task_id = await system.submit("failing", count=5)
    page = await tabs.open(f"/?task={task_id}")
    await expect(badge(page)).to_have_text("failed")
    await page.get_by_role("button", name="To the first failure").click()
    await expect(badge(page)).to_have_text("running")
    last = page.get_by_role("listbox", name="Events").get_by_role("option").last
    await expect(last).to_contain_text("node.failed")
    await expect(last).to_contain_text("ValueError: cannot count to 5")


async def test_a_running_task_can_be_looked_back_at(tabs: Tabs, system: ConsoleSystem) -> None:
    """While the reader looks at an earlier moment the task goes on; Live leads back to its end."""
    task_id = await system.submit("counting", count=2000, pause=0.05)
    page = await tabs.open(f"/?task={task_id}#at=1-3")
    await expect(page.locator(".transport-where")).to_contain_text("1-3 · 3/")
    await expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")
    assert len(await listed_ids(page)) == 3
    await page.get_by_role("button", name="Live").click()
    await page.wait_for_function("() => Number(document.querySelector('[role=option]').ariaSetSize) > 20")
    assert "#at=" not in page.url
    await system.client.post(f"/tasks/{task_id}/cancel")
    await expect(badge(page)).to_have_text("cancelled")
