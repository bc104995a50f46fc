"""The pages of docs/clients.md, opened at a pod's origin, and what they were given."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Route

from tests.support.browser import Tabs
from tests.support.console import ConsoleSystem
from tests.support.snippets import snippets

ENDLESS = {"count": 100_000, "pause": 0.02}
"""The input of a task that goes on until the test cancels it."""

FILES = ("watch.html", "run.html", "view.js", "run.js")
BLANK = {"blank.html": "<!doctype html><title>Blank</title>"}
KINDS = {"html": "text/html", "js": "text/javascript"}

LISTEN_IN = """
const add = EventSource.prototype.addEventListener;
window.sources = new Set();
EventSource.prototype.addEventListener = function (kind, listener) {
  window.sources.add(this);
  add.call(this, kind, (event) => {
    if (event.lastEventId && !kind.startsWith("stream.")) (window.seen ??= []).push(event.lastEventId);
    listener(event);
  });
};
"""
"""Writes down the id of each event that the page is given, and the sources of them."""


async def open_document(tabs: Tabs, path: str) -> Page:
    """Open a page of the document, which comes from the pod's own origin, as behind one proxy."""
    page = await tabs.open("/healthz")
    texts = snippets() | BLANK

    async def serve(route: Route) -> None:
        name = urlsplit(route.request.url).path[1:]
        await route.fulfill(body=texts[name], content_type=KINDS[name.rpartition(".")[2]])

    for name in (*FILES, *BLANK):
        await page.route(f"**/{name}", serve)
    await page.add_init_script(LISTEN_IN)
    await page.goto(path)
    return page


async def seen(page: Page) -> list[str]:
    """The ids that the page was given so far."""
    return await page.evaluate("window.seen ?? []")


async def more(page: Page, count: int) -> None:
    """Wait until the page was given so many more events."""
    wanted = len(await seen(page)) + count
    await page.wait_for_function("(wanted) => (window.seen ?? []).length >= wanted", arg=wanted)


async def newest(system: ConsoleSystem, graph: str) -> dict[str, Any]:
    """The newest task of a graph."""
    return (await system.client.get("/tasks", params={"graph": graph, "limit": 1})).json()["tasks"][0]
