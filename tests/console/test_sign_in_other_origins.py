"""Pages of other origins in a real browser: they can do nothing with a pod, unless they are named."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support.listening import listening
from tests.support.pods import running_pod
from tests.support.proxy import proxy
from tests.support.secured import Secured, secured_system, ticket_for
from tests.support.server import free_port
from tests.support.waiting import wait_until

FORGE = """async (pod) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: `${pod}/cancel`, enctype: "text/plain", target: "frame" });
  document.body.append(form, Object.assign(document.createElement("iframe"), { name: "frame" }));
  const framed = new Promise((done) => document.querySelector("iframe").addEventListener("load", done));
  form.submit();
  await framed;
  const post = { method: "POST", mode: "no-cors", credentials: "include" };
  await fetch(`${pod}/cancel`, post).catch(() => 0); // the answer forbids that it is even handed on unread
  const image = Object.assign(new Image(), { src: `${pod}/stream?on_disconnect=cancel` });
  await new Promise((done) => { image.onerror = image.onload = done; });
  return "done";
}"""
"""What a page can make a browser do at any other place."""

READ = """async (pod) => {
  const found = [];
  for (const path of ["", "/events", "/stream?from=-1"]) {
    await fetch(pod + path, { credentials: "include" }).then(() => found.push(path), () => 0);
  }
  const source = new EventSource(`${pod}/stream`, { withCredentials: true });
  source.addEventListener("task.submitted", () => found.push("event"));
  await new Promise((done) => { source.onerror = done; source.onopen = done; });
  source.close();
  return found;
}"""
"""What it would get to read."""

FOLLOW = """async ([pod, task, key]) => {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(`${pod}/tasks/${task}/ticket`, { method: "POST", headers });
  const { stream } = await answer.json();
  window.seen = [];
  window.opened = 0;
  window.source = new EventSource(pod + stream, { withCredentials: true });
  source.onopen = () => { window.opened += 1; };
  for (const type of ["task.submitted", "progress"]) {
    source.addEventListener(type, (message) => window.seen.push(message.lastEventId));
  }
  return answer.headers.get("X-Request-ID").length > 0;
}"""


@contextlib.asynccontextmanager
async def page_at(browser: Browser, origin: str) -> AsyncGenerator[Page]:
    """An empty page of some origin of this machine's."""
    content = b"<!doctype html><title>Elsewhere</title>"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
            writer.write(head + content)
            await writer.drain()
        writer.close()

    async with listening(serve, urlsplit(origin).port or 0):
        context = await browser.new_context(service_workers="block", bypass_csp=True)
        page = await context.new_page()
        await page.goto(origin)
        try:
            yield page
        finally:
            await context.close()


async def statuses_of(page: Page) -> list[int]:
    """The statuses of what the page is answered from now on, also where it may not know them."""
    statuses: list[int] = []
    session = await page.context.new_cdp_session(page)

    def note(event: dict[str, Any]) -> None:
        statuses.append(event["statusCode"])

    session.on("Network.responseReceivedExtraInfo", note)
    await session.send("Network.enable")
    return statuses


@pytest.fixture(params=["127.0.0.1", "localhost"], ids=["same-site", "cross-site"])
def elsewhere(request: pytest.FixtureRequest) -> str:
    """Another origin of the pod's site, or of another site than 127.0.0.1."""
    return f"http://{request.param}:{free_port()}"


@pytest_asyncio.fixture(loop_scope="session")
async def secured(redis_port: int, browser: Browser) -> AsyncGenerator[Secured]:
    """A pod that asks for API keys."""
    async with secured_system(redis_port) as it:
        yield it


async def test_where_nobody_is_asked(browser: Browser, secured: Secured, elsewhere: str) -> None:
    """A page that the user of this machine looks at can cancel nothing on it, and read nothing."""
    task_id = await secured.ten()
    async with running_pod(secured.open_settings) as pod, page_at(browser, elsewhere) as page:
        here = f"{pod.url}/tasks/{task_id}"
        statuses = await statuses_of(page)
        assert await page.evaluate(FORGE, here) == "done"
        assert await page.evaluate(READ, here) == []
        assert not (await secured.tasks.get(task_id)).cancel_requested
        await wait_until(lambda: statuses.count(403) >= 2)


async def test_with_somebody_s_cookie(browser: Browser, secured: Secured, elsewhere: str) -> None:
    """The user has a stream open; another page that even knows its URL gets nothing of it."""
    task_id, key = await secured.ten(), await secured.key()
    ticket = await ticket_for(secured.pod, key, task_id)
    here = f"{secured.pod.url}/tasks/{task_id}"
    async with page_at(browser, elsewhere) as page:
        own = await page.context.new_page()
        await own.goto(f"{secured.pod.url}/healthz")
        await own.evaluate(
            "(url) => { window.source = new EventSource(url); }", f"{here}/stream?ticket={ticket}"
        )
        await wait_until(lambda: len(secured.pod.pod.streams) == 1)
        assert "taskreel_stream" in str(await page.context.cookies())
        assert await page.evaluate(FORGE, here) == "done"
        assert await page.evaluate(READ, here) == []
        statuses = await statuses_of(page)
        forge = "(url) => { new EventSource(url, { withCredentials: true }); }"
        await page.evaluate(forge, f"{here}/stream?ticket={ticket}")
        await wait_until(lambda: bool(statuses))
        assert statuses[0] == (
            403 if "127" in elsewhere else 401
        )  # to another site no browser sends it at all
        assert len(secured.pod.pod.streams) == 1
        assert not (await secured.tasks.get(task_id)).cancel_requested


async def test_a_page_that_was_named_follows_a_task(
    browser: Browser, redis_port: int, elsewhere: str
) -> None:
    """With a credential in a header, and a stream by ticket and cookie that goes on after it was cut off."""
    named: dict[str, Any] = {"cors_origins": [elsewhere], "cookie_samesite": "none"}
    async with secured_system(redis_port, **named) as secured, page_at(browser, elsewhere) as page:
        task_id, key = await secured.ten(), await secured.key()
        async with proxy(urlsplit(secured.pod.url).port or 0) as network:
            there = f"http://127.0.0.1:{network.port}"
            assert await page.evaluate(FOLLOW, [there, task_id, key])
            await page.wait_for_function("() => seen.length === 10")
            network.cut()
            await page.wait_for_function("() => opened === 2", timeout=60_000)
            assert await page.evaluate("() => seen.length") == 10
