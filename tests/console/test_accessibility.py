"""axe-core finds nothing on any page of the console, in light and dark, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import DESKTOP, PHONE, Tabs, axe
from tests.support.console import ConsoleSystem
from tests.support.page import badge, go_on

Scheme = Literal["light", "dark"]

LOOKS: list[tuple[Scheme, Mapping[str, Any]]] = [("light", DESKTOP), ("dark", PHONE)]


@pytest.fixture(params=LOOKS, ids=["desktop", "phone"])
def looks(request: pytest.FixtureRequest) -> tuple[Scheme, Mapping[str, Any]]:
    """A colour scheme and a screen."""
    return request.param


async def look(page: Page) -> list[str]:
    """What axe objects to, and whether the page is wider than its screen."""
    await go_on(page)
    wide = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return await axe(page) + ([f"it is {wide} px too wide"] if wide > 0 else [])


async def test_the_list_and_the_form(
    tabs: Tabs, system: ConsoleSystem, looks: tuple[Scheme, Mapping[str, Any]]
) -> None:
    """With tasks in it, and with a form that has every kind of field of the examples."""
    scheme, screen = looks
    failed = await system.submit("failing")
    await system.until(failed, "failed")
    page = await tabs.open("/", scheme, screen)
    await page.locator(f"a[href='/?task={failed}']").wait_for(state="attached")
    assert await look(page) == []
    for graph in ("analysts", "approval"):
        await page.goto(f"/?new&graph={graph}")
        await page.get_by_role("button", name="Submit").wait_for()
        assert await look(page) == []


async def test_a_task_from_its_start_to_its_end(
    tabs: Tabs, system: ConsoleSystem, looks: tuple[Scheme, Mapping[str, Any]]
) -> None:
    """Waiting with a question, ended with a result and an event looked at, and played back."""
    scheme, screen = looks
    task_id = await system.submit("approval", customer="Ada", amount=120)
    page = await tabs.open(f"/?task={task_id}", scheme, screen)
    await expect(page.get_by_role("region", name="Question")).to_be_visible()
    assert await look(page) == []
    await system.client.post(f"/tasks/{task_id}/resume", json={"value": "approve"})
    await expect(badge(page)).to_have_text("succeeded")
    await page.get_by_role("listbox", name="Events").get_by_role("option").last.click()
    assert await look(page) == []
    await page.get_by_role("slider", name="Moment").press("Home")
    await expect(badge(page)).to_have_text("queued")
    assert await look(page) == []


async def test_a_fan_out_while_it_runs(
    tabs: Tabs, system: ConsoleSystem, looks: tuple[Scheme, Mapping[str, Any]]
) -> None:
    """Parallel lanes, messages being written, and the question whether to cancel it all."""
    scheme, screen = looks
    task_id = await system.submit("analysts", pace=1)
    page = await tabs.open(f"/?task={task_id}", scheme, screen)
    await expect(page.get_by_role("region", name="Nodes over time")).to_contain_text("volatility")
    await page.get_by_role("button", name="Cancel", exact=True).click()
    assert await look(page) == []
    await page.get_by_role("button", name="Cancel the task").click()
    await expect(badge(page)).to_have_text("cancelled")
    assert await look(page) == []
