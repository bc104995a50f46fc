"""The picture of a run, and what runs now: drawn by the browser from logs that are made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.browser import DESKTOP, PHONE, Tabs, axe
from tests.support.run_views import mounted
from tests.support.story import Story
from tests.support.timelines import fan_out
from tests.support.waiting import wait_until

BARS = """() => [...document.querySelectorAll(".lanes-bar")].map(
  (bar) => bar.getAttribute("class").split("lanes-").at(-1))"""
ACTIVE = """() => document.getElementById(
  document.activeElement.getAttribute("aria-activedescendant"))?.textContent"""
TICKS = """() => [...document.querySelectorAll(".lanes-tick")].map(
  (tick) => tick.textContent + tick.getAttribute("x"))"""


def everything() -> Story:
    """A log with a bar of every kind."""
    story, names = fan_out(3)
    story.wait(900).progress(names[0], message="half", percent=50).completed(names[0]).wait(500)
    story.attempt_started(4, 5).started(*names[1:]).wait(800).completed(*names[1:]).started("ask:a").wait(100)
    story.asked().wait(60_000).attempt_started(story.events[-2]["seq"]).started("ask:a").wait(700).completed(
        "ask:a"
    )
    return story.started("check:c", "write:w").wait(900).failed("check:c", "ValueError: no").wait(400)


async def test_bars_tell_how_runs_are(tabs: Tabs) -> None:
    """Each run has a bar of its kind; a replay draws only what had come."""
    page = await mounted(tabs, everything())
    states = [
        "completed",
        "superseded",
        "superseded",
        "completed",
        "completed",
        "answered",
        "completed",
        "failed",
    ]
    assert sorted(await page.evaluate(BARS)) == sorted([*states, "running"])
    await page.evaluate("show(5)")
    assert sorted(await page.evaluate(BARS)) == ["running"] * 3
    await page.evaluate("show(-1, false, 0)")
    assert await page.evaluate(BARS) == []
    await page.evaluate("show(t.last)")
    assert len(await page.evaluate(BARS)) == len(states) + 1


async def test_the_axis_marks_attempts_cuts_and_failures(tabs: Tabs) -> None:
    """They stand where they happened, in words or as a flag, and not before they have."""
    page = await mounted(tabs, everything())
    axis = page.locator(".lanes-axis")
    assert await axis.locator(".lanes-attempt-word").all_text_contents() == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]
    assert await axis.locator(".lanes-cut-word").all_text_contents() == ["⋯ 1 min 00 s"]
    assert await axis.locator(".lanes-flag").count() == 1
    await page.evaluate("show(5)")
    assert await axis.locator(".lanes-attempt-word, .lanes-cut-word, .lanes-flag").count() == 0


async def test_a_bar_is_filled_by_its_progress(tabs: Tabs) -> None:
    """Half done is half filled, whatever has come after that moment."""
    story = (
        Story()
        .submitted()
        .attempt_started()
        .started("a:1")
        .wait(1000)
        .progress("a:1", message="half", percent=50)
    )
    story.wait(1000).progress("a:1", message="all", percent=100)
    page = await mounted(tabs, story)
    parts = (
        """[".lanes-fill", ".lanes-shape"].map((it) => document.querySelector(it).getAttribute("width"))"""
    )
    await page.evaluate("show(3)")
    fill, shape = map(float, await page.evaluate(parts))
    assert fill == pytest.approx(shape / 2, abs=2)
    assert await page.locator(".lanes-note").text_content() == "half"
    await page.evaluate("show(4)")
    fill, shape = map(float, await page.evaluate(parts))
    assert fill == pytest.approx(shape, abs=2)


async def test_the_picture_keeps_its_scale(tabs: Tabs) -> None:
    """A replay never rescales, and a running task only in steps."""
    page = await mounted(tabs, everything())
    live = await page.evaluate(TICKS)
    await page.evaluate("show(t.last, true, t.clock.at(-1) + 50)")
    assert await page.evaluate(TICKS) == live
    await page.evaluate("show(6)")
    assert await page.evaluate(TICKS) == live
    await page.evaluate("show(t.last, true, t.clock.at(-1) * 3)")
    assert await page.evaluate(TICKS) != live


async def test_click_and_drag(tabs: Tabs) -> None:
    """A bar opens the event that ended it, or began it; anywhere else a moment is sought."""
    page = await mounted(tabs, everything())
    for state, kind in (("failed", "node.failed"), ("running", "node.started")):
        await page.locator(f".lanes-{state} .lanes-shape").click(position={"x": 4, "y": 4})
        name, index = await page.evaluate("calls.pop()")
        assert (name, await page.evaluate(f"t.events[{index}].type")) == ("select", kind)
    box = await page.locator(".lanes-top").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 400, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 500, box["y"] + 20)
    await page.mouse.up()
    (_, first, from_time), (_, last, to_time) = await page.evaluate("[calls.at(0), calls.at(-1)]")
    assert from_time < to_time
    assert [first, last] == await page.evaluate(f"[{from_time}, {to_time}].map((time) => t.indexAt(time))")


async def test_the_pointer_is_told_what_a_bar_is(tabs: Tabs) -> None:
    """Its node, state, duration, attempt and message, as text."""
    story = Story().submitted().attempt_started().started("a:r1").wait(2000)
    page = await mounted(
        tabs, story.failed("a:r1", "Error: <img src=x onerror=alert(1)>").wait(100).succeeded()
    )
    await page.locator(".lanes-shape").hover(position={"x": 100, "y": 9})
    tip = page.locator(".lanes-tip")
    assert await tip.is_visible()
    told = await tip.inner_text()
    assert all(it in told for it in ("failed", "2.0 s", "r1", "Error: <img src=x onerror=alert(1)>"))
    await page.mouse.move(5, 5)
    assert await tip.is_hidden()


async def test_keys(tabs: Tabs) -> None:
    """One tab stop; arrows go through rows and runs, each is told, and Enter opens it."""
    page = await mounted(tabs, everything())
    await page.keyboard.press("Tab")
    assert str(await page.evaluate(ACTIVE)).startswith("rank, completed, 0.90 s, attempt 1: half")
    await page.keyboard.press("ArrowDown")
    assert str(await page.evaluate(ACTIVE)).startswith("rank, superseded by attempt 2")
    await page.keyboard.press("Enter")
    assert await page.evaluate("[calls[0][0], t.events[calls[0][1]].type]") == ["select", "attempt.started"]
    for key in ("End", "PageDown", "ArrowUp", "ArrowUp", "ArrowLeft"):
        await page.keyboard.press(key)
    assert str(await page.evaluate(ACTIVE)).startswith(
        "ask, asked, and begun again with the answer, 1 min 00 s"
    )
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('.lanes')") is None


async def test_zooming(tabs: Tabs) -> None:
    """Plus shows less time on the same width, and zero shows all of it again."""
    page = await mounted(tabs, everything())
    width = "Number(document.querySelector('.lanes-failed .lanes-shape').getAttribute('width'))"
    await page.evaluate("show(t.last)")
    before = await page.evaluate(width)
    await page.locator(".lanes-scroll").focus()
    await page.keyboard.press("+")
    await page.wait_for_function(f"() => {width} > {before} * 1.4")
    await page.keyboard.press("0")
    await page.wait_for_function(f"() => {width} === {before}")


async def test_only_what_is_in_sight_is_drawn(tabs: Tabs) -> None:
    """Of a thousand rows a screenful is in the document, wherever one scrolls to."""
    story, names = fan_out(1000)
    page = await mounted(tabs, story.wait(2000).completed(*names[:500]))
    drawn = page.locator(".lanes-bar")
    assert 20 < await drawn.count() < 100
    assert set(await page.evaluate(BARS)) == {"completed"}
    await page.locator(".lanes-scroll").evaluate("(box) => (box.scrollTop = box.scrollHeight)")

    async def at_the_end() -> bool:
        return set(await page.evaluate(BARS)) == {"running"}

    await wait_until(at_the_end)
    assert 20 < await drawn.count() < 100
    assert await page.locator(".lanes-count").text_content() == "500/1000"


async def test_only_lanes_in_sight_are_drawn(tabs: Tabs) -> None:
    """So it is with many nodes of one run each."""
    names = [f"node{number}:r{number}" for number in range(300)]
    page = await mounted(tabs, Story().submitted().attempt_started().started(*names).wait(2000).succeeded())
    assert 10 < await page.locator(".lanes-bar").count() < 50
    assert 10 < await page.locator(".lanes-label").count() < 50


async def test_runs_on_the_same_pixels_are_one_bar(tabs: Tabs) -> None:
    """Thousands of short runs are told by their number; one that failed among them is still seen."""
    story = Story().submitted().attempt_started()
    for number in range(3000):
        story.started(f"loop:{number}").wait(1)
        _ = story.failed(f"loop:{number}", "no") if number == 1500 else story.completed(f"loop:{number}")
    page = await mounted(tabs, story)
    assert await page.locator(".lanes-bar").count() <= 5
    assert await page.locator(".lanes-failed").count() == 1
    assert "runs" in str(await page.locator(".lanes-completed .lanes-note").first.text_content())


async def test_a_log_that_was_rolled_back(tabs: Tabs) -> None:
    """What is no longer there is gone from the picture, though it was selected."""
    page = await mounted(tabs, everything())
    await page.locator(".lanes-completed .lanes-shape").first.click(position={"x": 4, "y": 4})
    assert await page.locator(".lanes-chosen").get_attribute("visibility") == "inherit"
    await page.evaluate("show(5, true, 0, t.upTo('1-6'))")
    assert sorted(await page.evaluate(BARS)) == ["running"] * 3
    assert await page.locator(".lanes-label").count() == 1
    assert await page.locator(".lanes-chosen").get_attribute("visibility") == "hidden"


@pytest.mark.parametrize("looks", [DESKTOP, PHONE])
async def test_nothing_is_in_the_way(tabs: Tabs, looks: Mapping[str, Any]) -> None:
    """Axe finds nothing, with a run active too; the whole is told in words; nothing sticks out sideways."""
    page = await mounted(tabs, everything(), looks)
    assert await axe(page) == []
    await page.locator(".lanes-scroll").focus()
    await page.keyboard.press("ArrowDown")
    assert await axe(page) == []
    told = await page.locator(".lanes-scroll").get_attribute("aria-label")
    assert told == "Nodes over time: 4 nodes, 9 runs, 1 running, 1 failure"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
