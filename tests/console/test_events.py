"""The list of events and the inspector, on the page of a task."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncGenerator

import httpx
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.browser import PHONE, Tabs, axe, hold_clock
from tests.support.console import ConsoleSystem
from tests.support.waiting import wait_until
from tests.support.written import WrittenTask, options, region, row_ids, written_task

HOSTILE = "<script>document.title = 'run'</script><img src=x onerror=alert(1)> \u202eevil\u2066 \u0007"


@pytest_asyncio.fixture(loop_scope="session")
async def task(system: ConsoleSystem) -> AsyncGenerator[WrittenTask]:
    """A task whose first attempt has begun."""
    async with written_task(system) as it:
        yield it


async def last_is(page: Page, event_id: str) -> None:
    """Wait until the last row is this event's."""

    async def reached() -> bool:
        return (await row_ids(page))[-1:] == [event_id]

    await wait_until(reached)


async def selected(page: Page) -> str:
    """The id in the row that assistive technology is pointed to; empty if it's pointed to none."""
    row = await page.get_by_role("listbox", name="Events").get_attribute("aria-activedescendant")
    return await page.locator(f"#{row} .events-id").inner_text() if row else ""


async def is_selected(page: Page, event_id: str) -> None:
    """Wait until assistive technology is pointed to this event's row."""

    async def reached() -> bool:
        return await selected(page) == event_id

    await wait_until(reached)


async def test_a_long_log_is_windowed(tabs: Tabs, task: WrittenTask) -> None:
    """Of 20,000 events those in sight are in the page; each says where in the whole it stands."""
    ids = await task.steps(19_998)
    page = await tabs.open(task.path)
    await last_is(page, ids[-1])
    assert await options(page).count() < 80
    assert await options(page).last.get_attribute("aria-setsize") == "20000"
    assert await options(page).last.get_attribute("aria-posinset") == "20000"
    await page.get_by_role("listbox", name="Events").evaluate("(list) => { list.scrollTop = 28 * 10_000; }")
    await expect(options(page).filter(has_text="step 9999")).to_be_in_viewport()
    assert await options(page).count() < 80


async def test_keys_move_through_the_list(tabs: Tabs, task: WrittenTask) -> None:
    """The event that they come to is pointed to, in sight, and in the inspector."""
    await task.steps(300)
    page = await tabs.open(task.path)
    await last_is(page, "1-302")
    await page.get_by_role("listbox", name="Events").focus()
    for key, event_id in (
        ("ArrowUp", "1-302"), ("ArrowUp", "1-301"), ("Home", "0-1"), ("ArrowUp", "0-1"), ("ArrowDown", "1-2"),
        ("End", "1-302"),
    ):  # fmt: skip
        await page.keyboard.press(key)
        await expect(region(page, "Event").get_by_role("heading").first).to_contain_text(event_id)
        await is_selected(page, event_id)
    await page.keyboard.press("PageUp")
    await expect(page.locator("[role=option][aria-selected=true]")).to_be_in_viewport()
    assert 260 < int((await selected(page)).partition("-")[2]) < 300


async def test_the_end_is_followed_until_the_reader_scrolls_up(tabs: Tabs, task: WrittenTask) -> None:
    """Then what was in sight stays there, and a button leads back to the end."""
    await task.steps(100)
    page = await tabs.open(task.path)
    await last_is(page, "1-102")
    await task.steps(50)
    await last_is(page, "1-152")
    await options(page).last.hover()
    await page.mouse.wheel(0, -1400)
    jump = page.get_by_role("button", name="To the end")
    await expect(jump.last).to_be_visible()
    top = "(list) => list.scrollTop"
    before = await page.get_by_role("listbox", name="Events").evaluate(top)
    await task.steps(50)
    await expect(page.locator(".events-count")).to_have_text("202 events")
    assert await page.get_by_role("listbox", name="Events").evaluate(top) == before
    await page.locator(".events-jump").click()
    await last_is(page, "1-202")
    await task.steps(10)
    await last_is(page, "1-212")


async def test_the_list_is_narrowed(tabs: Tabs, task: WrittenTask) -> None:
    """By text in type, node and summary, and by kind; what comes later is matched as it comes."""
    await task.steps(3000)
    await task.add("node.started", "Rank:bb000001")
    await task.add("node.started", "write:cc000001")
    page = await tabs.open(task.path)
    find = page.get_by_role("searchbox", name="Find in events")
    kind = page.get_by_role("combobox", name="Kind of events")
    count = page.locator(".events-count")
    await expect(count).to_have_text("3,004 events")  # what is found is said once, of what is there by then
    await find.fill("STEP 299")
    await expect(count).to_have_text("11 of 3,004 events")
    assert await row_ids(page) == ["1-301", *(f"1-{seq}" for seq in range(2992, 3002))]
    await expect(page.get_by_text("11 events found")).to_be_attached()
    await find.fill("rank")
    await last_is(page, "1-3003")
    await task.add("node.completed", "rank:bb000002", update={})
    await last_is(page, "1-3005")
    await kind.select_option("Nodes")
    await find.fill("")
    await expect(count).to_have_text("3 of 3,005 events")
    await find.fill("step")
    await expect(page.get_by_text("No event up to here matches.")).to_be_visible()


async def test_keys_move_through_what_is_left_when_narrowed(tabs: Tabs, task: WrittenTask) -> None:
    """The events between are passed over."""
    await task.steps(40)
    page = await tabs.open(task.path)
    await page.get_by_role("searchbox", name="Find in events").fill("step 3")
    await expect(page.locator(".events-count")).to_have_text("11 of 42 events")
    await page.get_by_role("listbox", name="Events").focus()
    await page.keyboard.press("Home")
    await is_selected(page, "1-5")
    await page.keyboard.press("ArrowDown")
    await is_selected(page, "1-32")


async def test_in_replay_the_list_ends_at_the_moment(tabs: Tabs, task: WrittenTask) -> None:
    """What came later isn't there, and the moment's event is marked."""
    await task.steps(200)
    page = await tabs.open(f"{task.path}#at=1-100")
    await last_is(page, "1-100")
    await expect(page.locator("[role=option][aria-current=true] .events-id")).to_have_text("1-100")
    assert await options(page).last.get_attribute("aria-setsize") == "100"
    await page.get_by_role("button", name="One event on").click()
    await last_is(page, "1-101")
    await expect(options(page).last).to_be_in_viewport()
    await page.get_by_role("button", name="Live", exact=True).click()
    await last_is(page, "1-202")
    await expect(page.locator("[role=option][aria-current=true]")).to_have_count(0)


async def test_superseded_events_say_so(tabs: Tabs, task: WrittenTask) -> None:
    """From the moment on at which the attempt begins that does them again."""
    await task.add("node.started", "work:aa000001")
    await task.steps(2)
    await task.attempt(supersedes=[3, 4, 5])
    page = await tabs.open(task.path)
    await last_is(page, "2-6")
    again = options(page).filter(has_text="superseded by attempt 2")
    assert await again.locator(".events-id").all_text_contents() == ["1-3", "1-4", "1-5"]
    await page.get_by_role("button", name="One event back").click()
    await last_is(page, "1-5")
    await expect(again).to_have_count(0)


async def test_text_of_events_stays_text(tabs: Tabs, task: WrittenTask) -> None:
    """Markup shows as itself, and neither it nor a line of 200,000 characters breaks the layout."""
    await task.add("progress", "\u202eodd:aa000001", message=HOSTILE)
    await task.add("progress", "work:aa000001", message="W" * 200_000)
    page = await tabs.open(task.path, looks=PHONE)
    await last_is(page, "1-4")
    await expect(options(page).nth(2)).to_contain_text("<script>document.title = 'run'</script>")
    await options(page).nth(2).click()
    await expect(region(page, "Event")).to_contain_text("onerror=alert(1)")
    await options(page).nth(3).click()
    more = page.get_by_role("button", name=re.compile("more characters"))
    await expect(more).to_be_visible()
    await more.click()
    await expect(region(page, "JSON of event 1-4")).to_contain_text("W" * 200_000)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "run" not in (await page.title()).split()


async def test_the_inspector_shows_the_event_and_how_to_get_it(
    tabs: Tabs, task: WrittenTask, system: ConsoleSystem
) -> None:
    """The JSON is the log's, the curl line fetches just that event, and the link leads to its moment."""
    await task.steps(5)
    page = await tabs.open(task.path, permissions=["clipboard-read", "clipboard-write"])
    await last_is(page, "1-7")
    await options(page).nth(3).click()
    inspector = region(page, "Event")
    event = json.loads(await region(page, "JSON of event 1-4").inner_text())
    words = shlex.split(await inspector.locator(".inspector-curl").inner_text())
    assert words[:2] == ["curl", "-s"]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        assert (await client.get(words[2])).json()["events"] == [event]
    assert event["data"] == {"message": "step 2"}
    await hold_clock(page)
    for name, copied in (
        ("Copy JSON", json.dumps(event, indent=2)), ("Copy command", f"curl -s '{words[2]}'"),
        ("Copy link", f"{system.url}{task.path}#at=1-4"),
    ):  # fmt: skip
        await inspector.get_by_role("button", name=name).click()
        await expect(inspector.get_by_role("status").filter(has_text="Copied").first).to_be_attached()
        assert await page.evaluate("navigator.clipboard.readText()") == copied


async def test_the_inspector_leads_on(tabs: Tabs, task: WrittenTask) -> None:
    """To the events beside it, and to its moment."""
    await task.steps(5)
    page = await tabs.open(task.path)
    await last_is(page, "1-7")
    await options(page).nth(5).click()
    inspector = region(page, "Event")
    await inspector.get_by_role("button", name="Next event").click()
    await expect(inspector.get_by_role("heading").first).to_contain_text("1-7")
    await expect(inspector.get_by_role("button", name="Next event")).to_be_disabled()
    await inspector.get_by_role("button", name="Previous event").click()
    await inspector.get_by_role("button", name="Previous event").click()
    await expect(inspector.get_by_role("heading").first).to_contain_text("1-5")
    await is_selected(page, "1-5")
    await inspector.get_by_role("button", name="Go to this moment").click()
    await last_is(page, "1-5")
    assert page.url.endswith("#at=1-5")


async def test_long_json_is_cut_until_asked_for(tabs: Tabs, task: WrittenTask) -> None:
    """The rest comes whole."""
    await task.add("node.completed", "work:aa000001", update={"numbers": list(range(5000))})
    page = await tabs.open(task.path)
    await last_is(page, "1-3")
    await options(page).last.click()
    box = region(page, "JSON of event 1-3")
    await expect(box).not_to_contain_text("4999")
    await box.get_by_role("button", name=re.compile(r"Show [\d,]+ more lines")).click()
    assert json.loads(await box.text_content() or "")["data"]["update"]["numbers"] == list(range(5000))


async def test_axe_finds_nothing(tabs: Tabs, task: WrittenTask) -> None:
    """In both schemes, with an event in the inspector, superseded ones, and the list narrowed."""
    await task.steps(300)
    await task.attempt(supersedes=[100, 299, 300])
    page = await tabs.open(task.path)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await last_is(page, "2-303")
        await options(page).nth(-2).click()
        assert await axe(page) == []
    await page.get_by_role("searchbox", name="Find in events").fill("nothing like it")
    await expect(page.get_by_text("No event up to here matches.")).to_be_visible()
    assert await axe(page) == []
