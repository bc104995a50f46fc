"""The watch over pages sees what it is there to see, and axe works under the console's own policy."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, Route

from tests.support.browser import Tabs, axe
from tests.support.console import ConsoleSystem
from tests.support.waiting import wait_until

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
PAGE = "<html lang=en><title>A page</title><main><h1>Heading</h1><img src=/healthz></main>"


async def strict(page: Page, path: str = "/strict") -> None:
    """Go to a page that is served under the console's policy, whose picture has no name."""

    async def serve(route: Route) -> None:
        headers = {"Content-Security-Policy": POLICY}
        await route.fulfill(body=PAGE, content_type="text/html", headers=headers)

    await page.route(f"**{path}", serve)
    await page.goto(path)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('broken')", "console error: broken"),
        ("console.warn('odd')", "console warning: odd"),
        ("setTimeout(() => { throw new Error('unseen') })", "uncaught: Error: unseen"),
        ("Promise.reject(new Error('unheard'))", "uncaught: Error: unheard"),
        ("fetch('http://localhost:1/').catch(() => 0)", "asked another host: http://localhost:1/"),
        ("document.body.setAttribute('style', 'color: red')", "offends the CSP: style-src-attr inline"),
        (
            "setTimeout(() => { document.body.innerHTML = '<b>x</b>' })",
            "offends the CSP: require-trusted",
        ),
        ("alert('stop')", "dialog: stop"),
    ],
)
async def test_faults_are_seen(browser: Browser, system: ConsoleSystem, script: str, fault: str) -> None:
    """Each kind is written down in words, and passes once the test has allowed it."""
    tabs = Tabs(browser, system.url)
    if "fetch" in script:
        page = await tabs.blank()  # where no policy keeps it from asking
    else:
        page = await tabs.open("/healthz")
        await strict(page)
    try:
        await page.evaluate(f"() => {{ {script} }}")
        await wait_until(lambda: any(fault in it for it in tabs.unexpected()))
        tabs.allow(".*")
        assert not tabs.unexpected()
    finally:
        await tabs.close()


async def test_axe_sees_what_is_wrong(tabs: Tabs) -> None:
    """It runs where scripts may come from the pod alone, and tells the rule and the place."""
    page = await tabs.open("/healthz")
    await strict(page)
    (found,) = await axe(page)
    assert found.startswith("critical image-alt: ")
    assert "\n  img: Fix any of the following: " in found
