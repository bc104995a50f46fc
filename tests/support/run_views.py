"""The views of runs on a page of their own, which shows the moments that a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.async_api import Page, Route

from tests.support.browser import DESKTOP, Tabs
from tests.support.story import Story

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "require-trusted-types-for 'script'"
)
PAGE = """<!doctype html><html lang="en"><title>Lanes</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/console/base.css"><link rel="stylesheet" href="/console/lanes/lanes.css">
<link rel="stylesheet" href="/console/task/nodes.css"><main><h1>Lanes</h1></main></html>"""
MOUNT = """async ({ events }) => {
  const [{ Timeline }, { lanesView }, { nodesView }] = await Promise.all(
    ["timeline/timeline", "lanes/lanes", "task/nodes"].map((name) => import(`/console/${name}.js`)));
  window.calls = [];
  const call = (name) => (...given) => calls.push([name, ...given]);
  const actions = { select: call("select"), seek: call("seek") };
  const views = [lanesView(actions), nodesView(actions)];
  window.t = new Timeline();
  events.forEach((event) => t.push(event));
  document.querySelector("main").append(...views.map((view) => view.element));
  window.show = (at, live = false, time = t.clock[at], timeline = t) =>
    views.forEach((view) => view.show({ timeline, at, time, live }));
  show(t.last, true);
}"""


async def mounted(tabs: Tabs, story: Story, looks: Mapping[str, Any] = DESKTOP) -> Page:
    """A page that shows the story's end, served under a strict policy."""

    async def serve(route: Route) -> None:
        headers = {"Content-Security-Policy": POLICY}
        await route.fulfill(body=PAGE, content_type="text/html", headers=headers)

    page = await tabs.blank(looks=looks)
    await page.route("**/lanes", serve)
    await page.goto("/lanes")
    await page.evaluate(MOUNT, {"events": story.events})
    await page.locator(".lanes-playhead").wait_for(state="attached")
    await page.wait_for_function("() => document.querySelector('.lanes-tick')")
    return page
