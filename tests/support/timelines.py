"""Timelines of made-up logs, folded in the browser."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from tests.support.story import Story

FOLD = """async ({ events }) => {
  const [{ Timeline }, { stateAt, waveAt }, { textAt, piecesAt }] = await Promise.all(
    ["timeline", "runs", "texts"].map((name) => import(`/console/timeline/${name}.js`)));
  const t = new Timeline();
  events.forEach((event) => t.push(event));
  const lanes = t.lanes.lanes;
  const lane = (name) => lanes.find((it) => it.name === name);
  const runs = (name) => lane(name).runs;
  return (%s);
}"""


async def told(page: Page, story: Story, script: str) -> Any:
    """What the script finds in the story's timeline, `t`; `runs(name)` are a lane's."""
    return await page.evaluate(FOLD % script, {"events": story.events})


def fan_out(runs: int = 4) -> tuple[Story, list[str]]:
    """A log in which so many parallel runs of one node have begun."""
    names = [f"rank:r{number}" for number in range(runs)]
    return Story().submitted().attempt_started().started(*names), names
