"""The page of a task, as people use it: submitted by its form, watched, cut off, answered, cancelled."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.page import badge, go_on, heading, listed_ids
from tests.support.tasks import log_ids

EVIL = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
ICONS = """() => [...document.querySelectorAll("use")].map((it) => it.getAttribute("href"))
  .filter((href) => !document.querySelector(href))"""
"""Icons that aren't in the page itself, and so not there when no pod is."""
TAKEN_AS_MARKUP = "() => ['hacked' in window, document.querySelectorAll('img, script:not([src])').length]"


async def test_a_task_is_submitted_by_its_form_and_watched_to_its_end(
    tabs: Tabs, system: ConsoleSystem
) -> None:
    """The form leads to the task's page, which shows all of its events, its nodes and its result."""
    page = await tabs.open("/?new&graph=analysts")
    await page.get_by_label("Pace").fill("0")
    await page.get_by_role("button", name="Submit").click()
    await expect(badge(page)).to_have_text("succeeded")
    task_id = page.url.rpartition("?task=")[2]
    assert await listed_ids(page) == await log_ids(system.client, task_id)
    await expect(heading(page, "Result")).to_be_visible()
    await expect(page.get_by_role("region", name="Nodes over time")).to_contain_text("volatility")
    await expect(page).to_have_title("analysts succeeded · Taskreel")


async def test_a_killed_pod_costs_the_page_no_event(tabs: Tabs, system: ConsoleSystem) -> None:
    """The page says that it lost its pod, resumes on its own, and shows each event once."""
    tabs.allow(REFUSED, CUT_OFF)
    task_id = await system.submit("counting", count=10_000, pause=0.1)
    page = await tabs.open(f"/?task={task_id}")
    await expect(page.get_by_role("status").get_by_text("Live")).to_be_visible()
    await system.pod.kill()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    assert await page.evaluate(ICONS) == []
    await system.pod.start()
    await expect(page.get_by_text(re.compile("Resumed at 1-[0-9]+ after [1-9]")).first).to_be_attached()
    await system.client.post(f"/tasks/{task_id}/cancel")
    await expect(badge(page)).to_have_text("cancelled")
    assert await listed_ids(page) == await log_ids(system.client, task_id)


async def test_a_killed_worker_is_told_as_another_attempt(tabs: Tabs, system: ConsoleSystem) -> None:
    """What the next attempt does again is marked as superseded, and the page goes on to the end."""
    task_id = await system.submit("two_steps", count=10_000, pause=0.1)
    page = await tabs.open(f"/?task={task_id}")
    await page.get_by_label("Find in events").fill("step 5 ")
    rows = page.get_by_role("listbox", name="Events").get_by_role("option")
    await expect(rows).to_have_count(1)
    await system.worker.kill()
    await system.worker.start()
    await expect(rows).to_have_count(2)
    assert "superseded" in (await rows.nth(0).text_content() or "")
    assert "superseded" not in (await rows.nth(1).text_content() or "")
    await expect(page.get_by_role("region", name="Nodes over time")).to_contain_text("attempt 2")
    await system.client.post(f"/tasks/{task_id}/cancel")
    await page.get_by_label("Find in events").fill("")
    await expect(badge(page)).to_have_text("cancelled")
    assert await listed_ids(page) == await log_ids(system.client, task_id)


async def test_a_question_is_answered(tabs: Tabs, system: ConsoleSystem) -> None:
    """The question has a form made from its schema; the answer lets the task go on."""
    task_id = await system.submit("approval", customer="Ada", amount=120)
    page = await tabs.open(f"/?task={task_id}")
    await expect(badge(page)).to_have_text("waiting")
    question = page.get_by_role("region", name="Question")
    await expect(question).to_contain_text("Refund 120.00 euros to Ada?")
    await question.get_by_label("approve").check()
    await question.get_by_role("button", name="Send the answer").click()
    await expect(badge(page)).to_have_text("succeeded")
    await expect(question).to_be_hidden()
    await expect(page.get_by_role("region", name="Outcome")).to_contain_text("We refund you 120.00 euros.")


async def test_a_task_is_cancelled_once_that_is_confirmed(tabs: Tabs, system: ConsoleSystem) -> None:
    """Thinking better of it costs nothing; confirming it ends the task."""
    task_id = await system.submit("counting", count=1000, pause=0.1)
    page = await tabs.open(f"/?task={task_id}")
    await expect(badge(page)).to_have_text("running")
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.get_by_role("button", name="Let it run").click()
    assert (await system.task(task_id))["status"] == "running"
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.get_by_role("button", name="Cancel the task").click()
    await expect(badge(page)).to_have_text("cancelled")
    await expect(heading(page, "Cancelled")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    await expect(page.get_by_role("figure", name="Drawing of the graph counting")).to_contain_text(
        "work, cut off"
    )


async def test_markup_of_an_event_shows_as_itself(tabs: Tabs, system: ConsoleSystem) -> None:
    """Wherever an event's text goes, a script in it is text, and nothing of it runs."""
    task_id = await system.submit("approval", customer=EVIL, amount=120, reason=EVIL)
    page = await tabs.open(f"/?task={task_id}")
    await expect(page.get_by_role("region", name="Question")).to_contain_text(
        f"Refund 120.00 euros to {EVIL}?"
    )
    await page.get_by_role("listbox", name="Events").get_by_role("option").first.click()
    await expect(page.get_by_role("region", name="Event", exact=True)).to_contain_text(EVIL)
    await system.client.post(
        f"/tasks/{task_id}/resume", json={"value": {"decision": "approve", "note": EVIL}}
    )
    await expect(page.get_by_role("region", name="Outcome")).to_contain_text(f"Dear {EVIL},")
    other = await tabs.open("/")
    await expect(other.locator(f"a[href='/?task={task_id}']")).to_be_visible()
    await go_on(page)
    for it in (page, other):
        assert await it.evaluate(TAKEN_AS_MARKUP) == [False, 0]


async def test_a_task_that_is_not_there_is_said_so(tabs: Tabs) -> None:
    """An id of no task leads to a plain sentence and a way on."""
    tabs.allow("404")
    page: Page = await tabs.open("/?task=01a1fe0d-adcd-75c8-8356-b440c5089999")
    await expect(heading(page, "There is no such task")).to_be_visible()
    await page.get_by_role("link", name="Look at the tasks there are").click()
    await expect(heading(page, "Tasks")).to_be_visible()
