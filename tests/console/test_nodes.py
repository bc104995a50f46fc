"""What runs now, as a list: drawn by the browser from logs that are made up."""

from __future__ import annotations

from tests.support.browser import Tabs
from tests.support.run_views import mounted
from tests.support.story import Story
from tests.support.timelines import fan_out


async def test_parallel_runs_are_one_line(tabs: Tabs) -> None:
    """How many have ended is told, and how far all are together; where nothing runs, that is told."""
    story, names = fan_out(4)
    story.progress(names[3], message="the last", percent=50).completed(*names[:2])
    page = await mounted(tabs, story)
    lines = page.locator(".nodes li")
    assert await lines.all_inner_texts() == ["rank\n2 of 4 done\n0.00 s\nthe last"]
    assert await page.get_by_role("progressbar", name="Progress of rank").get_attribute("value") == "0.625"
    await page.evaluate("show(1)")
    assert await page.locator(".nodes").inner_text() == "Now\n\nNo node runs right now."


async def test_a_single_run_tells_its_progress(tabs: Tabs) -> None:
    """Its name leads to the event it began with; without a number the progress is open."""
    story = Story().submitted().attempt_started().started("a:1").progress("a:1", message="half", percent=50)
    page = await mounted(tabs, story)
    progress = page.get_by_role("progressbar", name="Progress of a")
    assert await progress.get_attribute("value") == "0.5"
    assert await page.locator(".nodes-message").text_content() == "half"
    await page.get_by_role("button", name="a", exact=True).click()
    assert await page.evaluate("calls") == [["select", 2]]
    await page.evaluate("show(2)")
    assert await progress.get_attribute("value") is None
    await page.evaluate("show(3)")
    assert await progress.get_attribute("value") == "0.5"


async def test_a_run_that_waits(tabs: Tabs) -> None:
    """It says for what, and shows no progress."""
    page = await mounted(tabs, Story().submitted().attempt_started().started("ask:a").asked())
    assert "waiting for an answer" in await page.locator(".nodes li").inner_text()
    assert await page.locator(".nodes progress").is_hidden()


async def test_many_nodes(tabs: Tabs) -> None:
    """A dozen are listed, the others counted."""
    many = Story().submitted().attempt_started().started(*[f"node{number}:r{number}" for number in range(15)])
    page = await mounted(tabs, many)
    assert await page.locator(".nodes li").count() == 12
    assert "and 3 more" in await page.locator(".nodes").inner_text()
