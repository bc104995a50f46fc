"""A real Chromium, and a watch over what its pages do that they shouldn't.

A page may log no error and no warning, throw nothing that isn't caught, ask no other host, offend no Content
Security Policy, and open no dialog. Whatever a test expects of these it allows by name.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    WebError,
    async_playwright,
    expect,
)

TIMEOUT_MS = 60_000  # a loaded machine isn't what is tested
expect.set_options(timeout=TIMEOUT_MS)

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
}  # fmt: skip
Scheme = Literal["light", "dark"]
REFUSED = "net::ERR_CONNECTION_REFUSED"
"""What Chromium says when it asks a pod that isn't there."""
CUT_OFF = (
    "net::ERR_(INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH|CONNECTION_RESET|CONNECTION_CLOSED"
    "|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)"
)
"""What Chromium says when a pod is killed in the middle of an answer, or while a request waits for one."""

_TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`offends the CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
_RUN_AXE = "() => axe.run(document, { resultTypes: ['violations'] })"


def find_chromium() -> str | None:
    """Where this machine's Chromium is, if it has one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.asynccontextmanager
async def running_browser(executable: str) -> AsyncGenerator[Browser]:
    """A browser without a window; it belongs to the event loop it was started in."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        await browser.close()


class Tabs:
    """The pages that a test opens at one origin, each in a context of its own, and the watch over them.

    Attributes:
        faults: what pages did that they shouldn't, in words, as it happened.
    """

    def __init__(self, browser: Browser, origin: str) -> None:
        self.faults: list[str] = []
        self._browser = browser
        self._origin = origin
        self._contexts: list[BrowserContext] = []
        self._allowed: list[str] = []

    async def open(
        self,
        path: str = "/",
        scheme: Scheme = "light",
        looks: Mapping[str, Any] = DESKTOP,
        **more: Any,
    ) -> Page:
        """Open a path of the pod; `looks` is DESKTOP or PHONE, `more` is of `Browser.new_context`."""
        context = await self._browser.new_context(
            base_url=self._origin, color_scheme=scheme, service_workers="block", **looks, **more
        )
        self._contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        await self._watch(context)
        page = await context.new_page()
        await page.goto(path)
        return page

    async def blank(self, scheme: Scheme = "light", looks: Mapping[str, Any] = DESKTOP) -> Page:
        """Open an empty page of the pod's, to load modules into: an answer of the API, without its policy."""
        return await self.open("/healthz", scheme, looks, bypass_csp=True)

    def allow(self, *patterns: str) -> None:
        """Let pass, from now on and before, each fault in which one of these regular expressions is found."""
        self._allowed += patterns

    def unexpected(self) -> list[str]:
        """The faults that weren't allowed."""
        return [fault for fault in self.faults if not any(re.search(it, fault) for it in self._allowed)]

    async def close(self) -> None:
        """Close every page."""
        for context in self._contexts:
            await context.close()

    async def _watch(self, context: BrowserContext) -> None:
        await context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self.faults.append(f"uncaught: {error.error.stack or error.error}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "blob" and f"{parts.scheme}://{parts.netloc}" != self._origin:
            self.faults.append(f"asked another host: {request.url}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


async def hold_clock(page: Page) -> None:
    """Let only the test move the page's clock: what is shown for a while stays till then."""
    await page.clock.install()
    await page.clock.pause_at(await page.evaluate("() => Date.now() + 1000"))


async def axe(page: Page) -> list[str]:
    """What axe-core objects to on the page as it is now: a line for each rule, with where and why."""
    await page.evaluate(_axe_source())
    found = await page.evaluate(_RUN_AXE)
    return [_told(violation) for violation in found["violations"]]


async def screenshot(page: Page, path: Path) -> None:
    """Take a picture of what the window shows, once fonts are there and without animations."""
    await page.evaluate("() => document.fonts.ready.then(() => true)")
    await page.screenshot(path=path, animations="disabled", caret="hide")


@lru_cache(maxsize=1)
def _axe_source() -> str:
    return (Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text()


def _told(violation: Mapping[str, Any]) -> str:
    places = [
        f"  {' '.join(map(str, node['target']))}: {' '.join(str(node.get('failureSummary', '')).split())}"
        for node in violation["nodes"]
    ]
    return "\n".join([f"{violation['impact']} {violation['id']}: {violation['help']}", *places])
