"""Streams of somebody who has signed in: tickets, the cookie, and a credential that ends meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.browser import CUT_OFF, Tabs
from tests.support.logs import ids, plant
from tests.support.page import listed_ids
from tests.support.proxy import Proxy, proxy
from tests.support.secured import Secured, secured_system
from tests.support.signing_in import events, sign_in, signed_in
from tests.support.waiting import wait_until

TEN = ["0-1", *ids("1-2", "1-10")]


@pytest_asyncio.fixture(loop_scope="session")
async def secured(redis_port: int, browser: Browser) -> AsyncGenerator[Secured]:
    """A pod that asks for API keys."""
    async with secured_system(redis_port) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session", params=["127.0.0.1", "localhost"])
async def network(secured: Secured) -> AsyncGenerator[Proxy]:
    """What lies between the browser and the pod."""
    async with proxy(urlsplit(secured.pod.url).port or 0) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(browser: Browser, network: Proxy, request: pytest.FixtureRequest) -> AsyncGenerator[Tabs]:
    """Opens the pod's pages through the network, by an address or a name of this machine."""
    it = Tabs(browser, f"http://{request.node.callspec.params['network']}:{network.port}")
    it.allow("status of 401")
    yield it
    await it.close()
    assert not it.unexpected(), "\n".join(it.unexpected())


class Asked:
    """What a page asks its pod for."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        page.on("request", lambda request: self.urls.append(request.url))

    def count(self, word: str) -> int:
        """How many requests had that in their URL."""
        return sum(word in url for url in self.urls)


async def resumed(page: Page) -> None:
    """Wait until the pill has said that the stream went on."""
    await expect(page.locator(".connection-lines")).to_contain_text("Resumed at")


async def test_a_broken_stream_goes_on_by_its_cookie(tabs: Tabs, secured: Secured, network: Proxy) -> None:
    """By EventSource's own doing: Chromium takes a Secure cookie from this machine; one ticket will do."""
    tabs.allow(CUT_OFF)
    task_id = await secured.ten()
    page = await tabs.open("/healthz")
    asked = Asked(page)
    await page.goto(f"/?task={task_id}")
    await sign_in(page, await secured.key())
    await expect(events(page)).to_have_count(10)
    await expect(page.locator(".connection")).to_contain_text("Live")
    assert asked.count("/ticket") == 1
    network.cut()
    await plant(secured.tasks.log, task_id, ["1-11"])
    await resumed(page)
    assert await listed_ids(page) == [*TEN, "1-11"]
    assert asked.count("/ticket") == 1
    cookies: Any = await page.context.cookies()
    (cookie,) = cookies
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert cookie["path"] == f"/tasks/{task_id}/stream"


async def test_a_credential_that_ends_in_mid_stream(tabs: Tabs, secured: Secured) -> None:
    """The dialog comes; with another key of the same person's the page goes on after what it has."""
    task_id = await secured.ten()
    key = await secured.key()
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await expect(events(page)).to_have_count(10)
    marked = "() => document.querySelector('.task').dataset.mark = 'the same'"
    await page.evaluate(marked)
    await secured.revoke(key)
    await expect(page.get_by_role("dialog", name="Sign in")).to_contain_text("has ended or was revoked")
    await plant(secured.tasks.log, task_id, ids("1-11", "1-12"))
    await sign_in(page, await secured.key())
    await resumed(page)
    assert await listed_ids(page) == [*TEN, "1-11", "1-12"]
    assert await page.locator(".task").get_attribute("data-mark") == "the same"


async def test_somebody_else_starts_anew(tabs: Tabs, secured: Secured) -> None:
    """Nothing of what was shown is left for who signs in next, who may not see it."""
    task_id = await secured.ten()
    key = await secured.key()
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await expect(events(page)).to_have_count(10)
    await secured.revoke(key)
    await sign_in(page, await secured.key("bob"))
    tabs.allow("status of 404")
    await expect(page.get_by_role("heading", name="There is no such task")).to_be_visible()
    assert await events(page).count() == 0


async def test_what_was_asked_for_is_done_after_signing_in(tabs: Tabs, secured: Secured) -> None:
    """A button was pressed with a key that had just ended: it isn't to be pressed again."""
    task_id = await secured.ten()
    key = await secured.key()
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await expect(events(page)).to_have_count(10)
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await secured.revoke(key)
    await page.get_by_role("button", name="Cancel the task").evaluate("(button) => button.click()")
    await sign_in(page, await secured.key())

    async def cancelling() -> bool:
        return (await secured.tasks.get(task_id)).cancel_requested

    await wait_until(cancelling)
