"""Messages as they are written, on the page of a task."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.support.browser import PHONE, Tabs, axe
from tests.support.console import ConsoleSystem
from tests.support.written import WrittenTask, region, written_task

ONE, OTHER, THIRD = "write:aa000001", "write:aa000002", "check:bb000001"


@pytest_asyncio.fixture(loop_scope="session")
async def task(system: ConsoleSystem) -> AsyncGenerator[WrittenTask]:
    """A task whose first attempt has begun."""
    async with written_task(system) as it:
        yield it


def blocks(page: Page) -> Locator:
    """The messages that are in the page."""
    return region(page, "Messages").get_by_role("article")


def texts(page: Page) -> Locator:
    """Their texts."""
    return blocks(page).locator(".messages-text")


async def test_a_message_grows_piece_by_piece(tabs: Tabs, task: WrittenTask) -> None:
    """Each piece is appended to what is there, which is left alone, until the message is complete."""
    await task.deltas("m", ONE, "Once upon ", "a time\n")
    page = await tabs.open(task.path)
    await expect(texts(page)).to_have_text("Once upon a time\n")
    await expect(blocks(page)).to_contain_text("writing…")
    await page.evaluate("window.first = document.querySelector('.messages-text').firstChild.firstChild")
    await task.deltas("m", ONE, "there was\n\na queen.")
    await expect(texts(page)).to_contain_text("a queen.")
    assert await page.evaluate("window.first.data") == "Once upon a time\nthere was\n\na queen."
    await task.finish("m", ONE, "Once upon a time\nthere was\n\na queen.")
    await expect(blocks(page)).not_to_contain_text("writing…")
    assert await page.evaluate("window.first.isConnected")


async def test_the_end_of_a_message_has_the_last_word(tabs: Tabs, task: WrittenTask) -> None:
    """A message that came whole, or not as its pieces were, is shown as its end has it."""
    await task.deltas("m", ONE, "Once upn")
    await task.finish("m", ONE, "Once upon a time")
    await task.finish("t", THIRD, "12 lines\nfound", role="tool")
    page = await tabs.open(task.path)
    await expect(texts(page)).to_have_text(["Once upon a time", "12 lines\nfound"])
    await expect(blocks(page).last).to_contain_text("Tool")


async def test_messages_of_one_time_stand_side_by_side(tabs: Tabs, task: WrittenTask) -> None:
    """Each with its run, for its node has several; one that begins later comes below."""
    await task.add("node.started", ONE)
    await task.add("node.started", OTHER)
    await task.deltas("m", ONE, "one")
    await task.deltas("n", OTHER, "two")
    await task.finish("m", ONE, "one")
    await task.finish("n", OTHER, "two")
    await task.deltas("o", THIRD, "three")
    page = await tabs.open(task.path)
    await expect(texts(page)).to_have_text(["one", "two", "three"])
    boxes = [await block.bounding_box() for block in await blocks(page).all()]
    one, two, three = [box for box in boxes if box is not None]
    assert one["y"] == two["y"] < three["y"]
    assert one["x"] + one["width"] <= two["x"]
    runs = blocks(page).locator(".messages-run:visible")
    await expect(runs).to_have_text(["aa000001", "aa000002"])


async def test_superseded_messages_are_folded(tabs: Tabs, task: WrittenTask) -> None:
    """They say which attempt writes them again, and open when asked."""
    await task.deltas("m", ONE, "half a sen")
    await task.attempt(supersedes=[3])
    await task.deltas("n", ONE, "a whole sentence")
    page = await tabs.open(task.path)
    await expect(texts(page)).to_have_text(["half a sen", "a whole sentence"])
    old = blocks(page).first
    await expect(old).to_contain_text("superseded by attempt 2")
    await expect(texts(page).first).to_be_hidden()
    await old.get_by_role("button", name="Show").click()
    await expect(texts(page).first).to_be_visible()
    await old.get_by_role("button", name="Hide").click()
    await expect(texts(page).first).to_be_hidden()


async def test_in_replay_the_text_is_as_it_was(tabs: Tabs, task: WrittenTask) -> None:
    """Back and forth, to before its end, before its supersession, and before it began."""
    ids = await task.deltas("m", ONE, "one ", "two ", "three")
    end = await task.finish("m", ONE, "one two three")
    await task.attempt(supersedes=[3, 4, 5, 6])
    page = await tabs.open(task.path)
    await expect(blocks(page)).to_contain_text("superseded by attempt 2")
    for event_id, text, writing in (
        (ids[1], "one two ", True),
        (end, "one two three", False),
        (ids[0], "one ", True),
        (ids[2], "one two three", True),
    ):
        await page.evaluate("(hash) => { location.hash = hash }", f"#at={event_id}")
        await expect(texts(page)).to_have_text(text)
        await expect(texts(page)).to_be_visible()
        await expect(blocks(page).get_by_text("writing…")).to_have_count(int(writing))
    await page.evaluate("location.hash = '#at=1-2'")
    await expect(blocks(page)).to_have_count(0)


async def test_a_message_that_was_cut_off_says_so(tabs: Tabs, task: WrittenTask) -> None:
    """The task ended before the message did: nobody writes it any more."""
    await task.deltas("m", ONE, "half a sen")
    await task.add("task.cancelled")
    page = await tabs.open(task.path)
    await expect(blocks(page)).to_contain_text("cut off")
    await expect(blocks(page)).not_to_contain_text("writing…")


async def test_only_the_latest_messages_are_in_the_page(tabs: Tabs, task: WrittenTask) -> None:
    """Earlier ones come when asked for, above, and go again when the end is followed."""
    for number in range(180):
        await task.finish(f"m{number}", ONE, f"message {number}")
    page = await tabs.open(task.path)
    await expect(texts(page).last).to_have_text("message 179")
    await expect(blocks(page)).to_have_count(50)
    await region(page, "Messages").get_by_role("button", name="Show 100 of 130 earlier messages").click()
    await expect(blocks(page)).to_have_count(150)
    await region(page, "Messages").get_by_role("button", name="Show 30 earlier messages").click()
    await expect(texts(page).first).to_have_text("message 0")
    await task.finish("last", ONE, "message 180")
    await expect(texts(page).last).to_have_text("message 180")
    await region(page, "Messages").get_by_role("button", name="To the end").click()
    await expect(blocks(page)).to_have_count(50)
    await expect(texts(page).last).to_be_in_viewport()


async def test_the_end_is_followed_until_the_reader_scrolls_up(tabs: Tabs, task: WrittenTask) -> None:
    """What is being written stays in sight, and doesn't drag a reader along."""
    await task.deltas("m", ONE, *(f"line {number}\n" for number in range(200)))
    page = await tabs.open(task.path)
    log = page.get_by_role("log", name="Messages")
    below = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight"
    await expect(texts(page)).to_contain_text("line 199")
    await page.wait_for_function(f"({below})(document.querySelector('.messages-log')) < 2")
    await task.deltas("m", ONE, *(f"line {number}\n" for number in range(200, 300)))
    await expect(texts(page)).to_contain_text("line 299")
    await page.wait_for_function(f"({below})(document.querySelector('.messages-log')) < 2")
    await log.hover()
    await page.mouse.wheel(0, -600)
    await expect(region(page, "Messages").get_by_role("button", name="To the end")).to_be_visible()
    top = await log.evaluate("(log) => log.scrollTop")
    await task.deltas("m", ONE, *(f"line {number}\n" for number in range(300, 400)))
    await expect(texts(page)).to_contain_text("line 399")
    assert await log.evaluate("(log) => log.scrollTop") == top


async def test_very_long_text_is_shown_in_parts(tabs: Tabs, task: WrittenTask) -> None:
    """Lines stay whole, one without an end is broken, no character is lost, and nothing sticks out."""
    lines = "".join(f"line {number}\n" for number in range(8000))
    endless = "\N{GRINNING FACE}x" * 20_000
    await task.deltas("m", ONE, lines, endless)
    await task.finish("n", ONE, "<b>\u202e not bold</b>" + "W" * 100_000)
    page = await tabs.open(task.path, looks=PHONE)
    await expect(blocks(page)).to_have_count(2)
    assert await texts(page).first.text_content() == lines + endless
    parts = texts(page).first.locator(".growing-part")
    sizes = await parts.evaluate_all("(parts) => parts.map((part) => part.textContent.length)")
    assert max(sizes) <= 8000
    assert min(sizes[:-1]) >= 2000
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(texts(page).last).to_contain_text("<b>")


async def test_axe_finds_nothing(tabs: Tabs, task: WrittenTask) -> None:
    """With messages in every state, in both schemes."""
    await task.deltas("m", ONE, "half a sen")
    await task.attempt(supersedes=[3])
    await task.finish("t", THIRD, "12 lines\nfound", role="tool")
    await task.deltas("n", ONE, *(f"line {number}\n" for number in range(100)))
    page = await tabs.open(task.path)
    await expect(blocks(page)).to_have_count(3)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert await axe(page) == []
