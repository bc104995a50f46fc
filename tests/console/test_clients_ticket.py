"""The example of docs/clients.md for who has a credential, in a real browser at a pod that asks for one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import CUT_OFF, Tabs
from tests.support.logs import plant
from tests.support.proxy import proxy
from tests.support.secured import Secured, secured_system
from tests.support.snippets import snippets


@pytest_asyncio.fixture(loop_scope="session")
async def secured(redis_port: int, browser: Browser) -> AsyncGenerator[Secured]:
    """A pod that asks for API keys."""
    async with secured_system(redis_port) as it:
        yield it


async def test_it_follows_and_comes_back(browser: Browser, secured: Secured) -> None:
    """By itself, and it takes a cursor."""
    task_id, key = await secured.ten(), await secured.key()
    async with proxy(urlsplit(secured.pod.url).port or 0) as network:
        tabs = Tabs(browser, f"http://127.0.0.1:{network.port}")
        tabs.allow(CUT_OFF)
        page = await tabs.blank()
        script = snippets()["ticket.js"].replace("export ", "")
        follow = """window.seen = [];
          const source = await openStream(task, key, cursor);
          source.addEventListener("progress", (message) => seen.push(message.lastEventId));"""
        await page.evaluate(f"async ([task, key, cursor]) => {{ {script} {follow} }}", [task_id, key, "1-8"])
        await page.wait_for_function("() => seen.length === 2")
        network.cut()
        await plant(secured.tasks.log, task_id, ["1-11"])
        await page.wait_for_function("() => seen.length === 3")
        assert await page.evaluate("() => seen") == ["1-9", "1-10", "1-11"]
        await tabs.close()
        assert not tabs.unexpected()
