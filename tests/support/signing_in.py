"""What tests do at the console of a pod that asks who somebody is."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from tests.support.browser import Tabs


async def sign_in(page: Page, key: str) -> None:
    """Fill in the dialog."""
    dialog = page.get_by_role("dialog", name="Sign in")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("API key or token").fill(key)
    await dialog.get_by_role("button", name="Sign in").click()


async def signed_in(tabs: Tabs, key: str, path: str = "/") -> Page:
    """A page of somebody who has signed in."""
    page = await tabs.open(path)
    await sign_in(page, key)
    await expect(page.get_by_role("dialog", name="Sign in")).to_be_hidden()
    return page


def events(page: Page) -> Locator:
    """The events in sight on a task's page."""
    return page.get_by_role("listbox", name="Events").get_by_role("option")
