"""Signing in and out of the console, at a pod that asks for API keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from events.apikeys import Role
from tests.support.browser import DESKTOP, PHONE, Scheme, Tabs, axe
from tests.support.page import go_on
from tests.support.pods import running_pod
from tests.support.secured import Secured, secured_system
from tests.support.signing_in import events, sign_in, signed_in

STORED = "() => JSON.stringify([sessionStorage, localStorage, document.cookie, location.href])"


@pytest_asyncio.fixture(loop_scope="session")
async def secured(redis_port: int, browser: Browser) -> AsyncGenerator[Secured]:
    """A pod that asks for API keys."""
    async with secured_system(redis_port) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(browser: Browser, secured: Secured) -> AsyncGenerator[Tabs]:
    """Opens its pages; Chromium writes each 401 down, and those are wanted here."""
    it = Tabs(browser, secured.pod.url)
    it.allow("status of 401")
    yield it
    await it.close()
    assert not it.unexpected(), "\n".join(it.unexpected())


async def test_signing_in(tabs: Tabs, secured: Secured) -> None:
    """Before it nothing is to be seen; after it what the key opens, also when the page is loaded again."""
    task_id = await secured.ten()
    key = await secured.key()
    page = await tabs.open("/")
    await sign_in(page, "not a key")
    alert = page.get_by_role("dialog").get_by_role("alert")
    await expect(alert).to_contain_text("without a space")
    await sign_in(page, f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}")
    await expect(alert).to_contain_text("No such credential")
    assert await page.locator(".list a[href^='/?task=']").count() == 0
    await sign_in(page, f" {key}\n")
    await expect(page.locator(f"a[href='/?task={task_id}']")).to_be_visible()
    await page.reload()
    await expect(page.locator(f"a[href='/?task={task_id}']")).to_be_visible()
    await page.get_by_role("button", name="Signed in as ada").click()
    await expect(page.get_by_role("dialog", name="Account")).to_contain_text("submit: your own tasks")


async def test_the_key_stays_in_its_tab(tabs: Tabs, secured: Secured) -> None:
    """Another tab of the same browser asks anew, and no address, cookie or lasting storage holds it."""
    key = await secured.key()
    page = await signed_in(tabs, key)
    other = await page.context.new_page()
    await other.goto(secured.pod.url)
    await expect(other.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert key not in await other.evaluate(STORED)
    kept = await page.evaluate("() => JSON.stringify([localStorage, document.cookie, location.href])")
    assert key not in kept


async def test_signing_out_leaves_nothing(tabs: Tabs, secured: Secured) -> None:
    """Neither the key, nor what was shown, nor what was typed; and no stream stays open."""
    task_id, key = await secured.ten(), await secured.key()
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await expect(events(page)).to_have_count(10)
    await page.evaluate("() => sessionStorage.setItem('taskreel.draft.echo', 'typed')")
    await page.get_by_role("button", name="Signed in as ada").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert key not in await page.evaluate(STORED)
    assert "typed" not in await page.evaluate(STORED)
    assert await events(page).count() == 0
    await page.reload()
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()


async def test_it_can_wait(tabs: Tabs, secured: Secured) -> None:
    """The dialog can be left, and a button brings it back."""
    task_id, key = await secured.ten(), await secured.key()
    page = await tabs.open("/")
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_hidden()
    await page.get_by_role("button", name="Sign in").click()
    await sign_in(page, key)
    await expect(page.locator(f"a[href='/?task={task_id}']")).to_be_visible()


async def test_who_only_reads_is_told_so(tabs: Tabs, secured: Secured) -> None:
    """No button that would come to nothing."""
    task_id, key = await secured.ten(), await secured.key("rita", Role.READ)
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await expect(events(page)).to_have_count(10)
    await expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    ops = await signed_in(tabs, await secured.key("olga", Role.OPS), f"/?task={task_id}")
    await expect(ops.get_by_role("button", name="Cancel", exact=True)).to_be_visible()


async def test_commands_name_the_variable_and_not_the_key(tabs: Tabs, secured: Secured) -> None:
    """They can be sent to somebody."""
    task_id, key = await secured.ten(), await secured.key()
    page = await signed_in(tabs, key, f"/?task={task_id}")
    await events(page).last.click()
    line = page.locator(".inspector-curl")
    await expect(line).to_contain_text('-H "Authorization: Bearer $TASKREEL_TOKEN"')
    assert key not in await page.content()


@pytest.mark.parametrize(("scheme", "screen"), [("light", DESKTOP), ("dark", PHONE)], ids=["light", "dark"])
async def test_axe_finds_nothing(
    tabs: Tabs, secured: Secured, scheme: Scheme, screen: dict[str, Any]
) -> None:
    """In the dialog, with an error in it, and in what is told of who is signed in."""
    key = await secured.key()
    page = await tabs.open("/", scheme, screen)
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert await look(page) == []
    await sign_in(page, "x")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert await look(page) == []
    await sign_in(page, key)
    await page.get_by_role("button", name="Signed in as ada").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert await look(page) == []


async def look(page: Page) -> list[str]:
    """What axe objects to, and whether the page is wider than its screen."""
    await go_on(page)
    wide = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return await axe(page) + ([f"it is {wide} px too wide"] if wide > 0 else [])


async def test_where_nobody_is_asked_nothing_of_it_is_seen(browser: Browser, secured: Secured) -> None:
    """No dialog, no button, no question who it is, and no ticket."""
    task_id = await secured.ten()
    async with running_pod(secured.open_settings) as pod:
        tabs = Tabs(browser, pod.url)
        page = await tabs.open("/healthz")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"/?task={task_id}")
        await expect(events(page)).to_have_count(10)
        assert await page.locator("#account").is_hidden()
        assert await page.get_by_role("dialog").count() == 0
        assert not [url for url in asked if "ticket" in url or "whoami" in url]
        await tabs.close()
        assert not tabs.unexpected()
