"""What becomes of a node's runs, at any moment: folded in the browser, from logs that are made up."""

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


async def test_a_run_at_every_moment(page: Page) -> None:
    """It runs from its first event on, keeps what it reported, and ends as its end says."""
    story = Story().submitted().attempt_started().started("a:1", "b:2")
    story.progress("a:1", current=1).completed("a:1").failed("b:2", "ValueError: no")
    state = "(_, at) => run.begin <= at ? stateAt(run, at) : ''"
    script = f"[...runs('a'), ...runs('b')].map((run) => t.events.map({state}))"
    states = await told(page, story, script)
    script = """[runs("a")[0].progress, t.failures,
      t.events.map((_, at) => t.lanes.openAt(at).map((run) => run.run).join())]"""
    progress, failures, is_open = await told(page, story, script)
    assert states[0] == ["", "", "running", "running", "running", "completed", "completed"]
    assert states[1] == ["", "", "", "running", "running", "running", "failed"]
    assert (progress, failures) == ([4], [6])
    assert is_open == ["", "", "1", "1,2", "1,2", "2", ""]


async def test_parallel_runs_never_share_a_row(page: Page) -> None:
    """A row is used again once its run has ended, the lowest first."""
    story, names = fan_out(4)
    story.completed(names[2], names[0]).started("rank:r4", "rank:r5", "rank:r6")
    rows = await told(page, story, "lane('rank').rows.map((row) => row.map((run) => run.run))")
    assert rows == [["r0", "r4"], ["r1"], ["r2", "r5"], ["r3"], ["r6"]]


async def test_a_takeover_does_again_what_it_supersedes(page: Page) -> None:
    """What hadn't finished is cut off there and void from there on; what had finished stays as it is."""
    story, names = fan_out(3)
    story.progress(names[1], current=1).completed(names[0]).wait(50).attempt_started(4, 5, 6)
    taken = len(story.events) - 1
    story.started(names[1]).completed(names[1])
    states = "runs('rank').map((run) => [run.run, run.attempt, run.end, run.voided, stateAt(run, t.last)])"
    assert await told(page, story, states) == [
        ["r0", 1, 6, inf, "completed"],
        ["r1", 1, taken, taken, "superseded"],
        ["r2", 1, taken, taken, "superseded"],
        ["r1", 2, taken + 2, inf, "completed"],
    ]
    before = f"runs('rank').slice(0, 3).map((run) => stateAt(run, {taken - 1}))"
    assert await told(page, story, before) == ["completed", "running", "running"]


async def test_a_takeover_from_scratch_voids_what_was_finished(page: Page) -> None:
    """A run keeps its end, and is superseded all the same."""
    story = Story().submitted().attempt_started().started("a:1").completed("a:1").attempt_started(3, 4)
    found = await told(page, story, "[runs('a')[0].end, stateAt(runs('a')[0], 3), stateAt(runs('a')[0], 4)]")
    assert found == [3, "completed", "superseded"]


async def test_an_end_that_only_the_next_attempt_tells(page: Page) -> None:
    """The worker died after the checkpoint and before the event: the run isn't done again."""
    story = Story().submitted().attempt_started().started("a:1", "b:2").attempt_started(4)
    story.completed("a:1").started("b:2")
    script = "[...runs('a'), ...runs('b')].map((run) => [run.attempt, run.end, run.outcome, run.voided])"
    assert await told(page, story, script) == [
        [1, 5, "completed", inf],
        [1, 4, "cut off", 4],
        [2, inf, "", inf],
    ]


async def test_a_run_that_begins_again_unannounced(page: Page) -> None:
    """What was left of it in the earlier attempt is cut off, though nothing superseded it."""
    story = Story().submitted().attempt_started().started("a:1").attempt_started().started("a:1")
    assert await told(page, story, "runs('a').map((run) => [run.attempt, run.end, run.outcome])") == [
        [1, 4, "cut off"],
        [2, inf, ""],
    ]


async def test_a_question_and_its_answer(page: Page) -> None:
    """The run that asked waits, was answered when the next attempt begins it again, and is never void."""
    story = Story().submitted().attempt_started().started("ask:a").asked()
    story.attempt_started(3).resumed().started("ask:a").completed("ask:a")
    script = """[[3, 4].map((at) => stateAt(runs("ask")[0], at)),
      runs("ask").map((run) => [run.outcome, run.voided])]"""
    states, runs = await told(page, story, script)
    assert states == ["waiting", "answered"]
    assert runs == [["asked", inf], ["completed", inf]]


async def test_the_end_of_a_task_cuts_off_what_runs(page: Page) -> None:
    """A cancelled task leaves no run open."""
    story = Story().submitted().attempt_started().started("a:1").tell("task.cancelled")
    assert await told(page, story, "[runs('a')[0].outcome, t.lanes.openAt(t.last)]") == ["cut off", []]


async def test_subgraphs_are_lanes_of_their_own(page: Page) -> None:
    """A node inside another one is named by the way to it, and not mistaken for its namesake."""
    story = Story().submitted().attempt_started().started("team:1").started("check:2", path=["team"])
    story.started("check:3").progress("check:2", message="inside").completed("check:2", path=["team"])
    script = """[lanes.map((it) => it.name), runs("team/check")[0].end, runs("team/check")[0].progress,
      runs("check")[0].end]"""
    assert await told(page, story, script) == [["team", "team/check", "check"], 6, [5], inf]


async def test_progress_of_no_node_is_kept(page: Page) -> None:
    """It belongs to the task as a whole."""
    story = Story().submitted().attempt_started().tell("progress", message="somewhere")
    assert await told(page, story, "[t.lanes.unattributed, lanes]") == [[2], []]


async def test_what_a_node_says_after_its_end_begins_nothing(page: Page) -> None:
    """A task that a node left behind may still report; no second run comes of it."""
    story = (
        Story().submitted().attempt_started().started("a:1").completed("a:1").progress("a:1", message="late")
    )
    assert await told(page, story, "[runs('a').length, runs('a')[0].progress, t.lanes.openAt(4)]") == [
        1,
        [4],
        [],
    ]


async def test_the_run_of_an_event(page: Page) -> None:
    """Each event of a node leads to its run in that attempt; others lead to none."""
    story = (
        Story()
        .submitted()
        .attempt_started()
        .started("a:1")
        .attempt_started(3)
        .started("a:1")
        .completed("a:1")
    )
    assert await told(page, story, "t.events.map((event) => t.lanes.runOf(event)?.attempt)") == [
        None, None, 1, None, 2, 2,
    ]  # fmt: skip


async def test_a_wave_counts_what_runs_in_parallel(page: Page) -> None:
    """A node that is run later begins a new count; one that is done again keeps its place in the old."""
    story, names = fan_out(3)
    story.completed(names[0]).attempt_started(4, 5).started(names[1], names[2]).completed(names[1])
    first = len(story.events) - 1
    story.completed(names[2]).started("rank:later")
    count = "((wave) => [wave.done, wave.runs.length])(waveAt(lane('rank'), {}))"
    assert await told(page, story, count.format(5)) == [1, 3]
    assert await told(page, story, count.format(first)) == [2, 3]
    assert await told(page, story, count.format("t.last")) == [0, 1]
    assert await told(page, story, count.format(1)) == [0, 0]
