"""The page of the API, under a policy that lets in no script but the pod's own."""

from __future__ import annotations

from playwright.async_api import expect

from tests.support.browser import Tabs
from tests.support.console import ConsoleSystem


async def test_the_page_of_the_api_asks_the_pod(tabs: Tabs, system: ConsoleSystem) -> None:
    """Each route is there, and can be tried out: what it answers is shown."""
    page = await tabs.open("/docs")
    await expect(page.locator(".opblock-summary-path", has_text="/tasks")).not_to_have_count(0)
    route = page.locator("#operations-default-healthz_healthz_get")
    await route.locator(".opblock-summary-control").click()
    await route.get_by_role("button", name="Try it out").click()
    await route.get_by_role("button", name="Execute").click()
    await expect(route.locator(".live-responses-table .response").first).to_contain_text("alive")
