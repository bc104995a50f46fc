"""What a timeline tells of a task, at any moment of it: folded in the browser, from logs that are made up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from math import inf

import pytest_asyncio
from playwright.async_api import Page

from tests.support.browser import Tabs
from tests.support.story import Story
from tests.support.timelines import fan_out, told


@pytest_asyncio.fixture(loop_scope="session")
async def page(tabs: Tabs) -> AsyncGenerator[Page]:
    """A page from which the console's modules can be imported."""
    yield await tabs.blank()


async def test_the_display_clock_cuts_idle_time(page: Page) -> None:
    """Queued and waiting, a task takes two seconds at most; what was left out is told."""
    story = Story().submitted().wait(9_000).attempt_started().wait(5_000).started("ask:a").asked()
    story.wait(1_500).attempt_started(3).wait(30).asked().wait(60_000).attempt_started()
    clock, cuts, left_out = await told(page, story, "[t.clock, t.cuts, t.cutAt(t.last)]")
    assert clock == [0, 2_000, 7_000, 7_000, 8_500, 8_530, 10_530]
    assert [(cut["from"], cut["to"], cut["real"]) for cut in cuts] == [(0, 1, 9_000), (5, 6, 60_000)]
    assert left_out == 7_000 + 58_000


async def test_the_display_clock_never_goes_back(page: Page) -> None:
    """An attempt on a host whose clock is behind adds nothing until it has caught up."""
    story = Story().submitted().wait(100).attempt_started().wait(500).started("a:1")
    story.wait(-3_000).attempt_started(3).wait(3_000).started("a:1").wait(10).completed("a:1")
    assert await told(page, story, "t.clock") == [0, 100, 600, 600, 600, 610]


async def test_events_are_found_by_id_and_by_time(page: Page) -> None:
    """An id that isn't there gives the last one before it, as a cursor does."""
    story = Story().submitted().wait(10).attempt_started().wait(10).started("a:1").attempt_started(3)
    script = """[["0-0", "0-1", "1-2", "1-99", "2-4", "10-5"].map((id) => t.indexOf(id)),
      [-1, 0, 9, 10, 20, 99].map((time) => t.indexAt(time)), t.idAt(3)]"""
    by_id, by_time, last = await told(page, story, script)
    assert by_id == [-1, 0, 1, 2, 3, 3]
    assert by_time == [-1, 0, 0, 1, 3, 3]
    assert last == "2-4"


async def test_the_status_at_every_moment(page: Page) -> None:
    """A wish to cancel holds until the end, whatever else still comes."""
    story = Story().submitted().attempt_started().asked().attempt_started().resumed()
    story.tell("task.cancel_requested").attempt_started().asked().tell("task.cancelled")
    assert await told(page, story, "[-1, ...t.events.keys()].map((at) => t.statusAt(at))") == [
        "queued", "queued", "running", "waiting", "running", "running",
        "cancelling", "cancelling", "cancelling", "cancelled",
    ]  # fmt: skip


async def test_questions_and_outcome_at_a_moment(page: Page) -> None:
    """A question stands until the next attempt; the outcome is there with the last event alone."""
    story = Story().submitted().attempt_started().asked().attempt_started().succeeded()
    script = """[t.events.map((_, at) => t.questionsAt(at).map((it) => it.id)),
      t.events.map((_, at) => t.outcomeAt(at)?.type ?? null), t.sealed,
      t.events.map((_, at) => t.attemptAt(at)?.attempt)]"""
    questions, outcomes, sealed, attempts = await told(page, story, script)
    assert questions == [[], [], ["q1"], [], []]
    assert outcomes == [None] * 4 + ["task.succeeded"]
    assert sealed is True
    assert attempts == [None, 1, 1, 2, 2]


async def test_texts_at_a_moment(page: Page) -> None:
    """A message grows piece by piece, ends whole, and is void once its attempt is superseded."""
    story = Story().submitted().attempt_started().started("w:1")
    for piece in ("Down ", "the ", "hole"):
        story.tell("message.delta", "w:1", message_id="m1", text=piece)
    story.attempt_started(3, 4, 5, 6).started("w:1")
    story.tell("message.delta", "w:1", message_id="m2", text="Up")
    story.tell("message.completed", "w:1", message_id="m2", role="ai", text="Up again")
    texts = "[3, 4, 5, 8, 9].map((at) => textAt(it, at))"
    script = f"t.texts.messages.map((it) => [{texts}, it.voided, it.end, it.name])"
    first, second = await told(page, story, script)
    assert first == [["Down ", "Down the ", "Down the hole", "Down the hole", "Down the hole"], 6, inf, "w"]
    assert second == [["", "", "", "Up", "Up again"], inf, 9, "w"]


async def test_a_log_that_was_rolled_back(page: Page) -> None:
    """What comes after the last event both have is forgotten, and what was there before is as it was."""
    story, names = fan_out(3)
    story.completed(*names).succeeded()
    script = """((kept) => [kept.last, kept.sealed, kept.statusAt(kept.last), kept.clock,
      kept.lanes.lanes[0].runs.map((run) => run.end), kept.lanes.isThere(kept.lanes.lanes[0].runs[0], 4),
      kept.lanes.isThere(runs("rank")[0], 4)])(t.upTo("1-6"))"""
    kept = await told(page, story, script)
    assert kept == [5, False, "running", [0] * 6, [5, inf, inf], True, False]


async def test_twenty_thousand_events(page: Page) -> None:
    """A long log is folded event by event, without going over it again for each; nothing of it is lost."""
    story = Story().submitted().attempt_started()
    for wave in range(10):
        names = [f"crawl:{wave}-{number}" for number in range(500)]
        story.started(*names).wait(1)
        for name in names:
            story.progress(name, percent=50).progress(name, percent=100)
        story.completed(*names)
    script = """[t.events.length, lane("crawl").rows.length, runs("crawl").length,
      runs("crawl").every((run) => run.outcome === "completed" && run.progress.length === 2),
      lane("crawl").waves.length, t.lanes.openAt(501).length]"""
    assert await told(page, story, script) == [20_002, 500, 5_000, True, 10, 500]
