"""`python -m tests.console.pictures`: take the pictures of the docs anew, from a real system.

They are looked at by a person before they are committed: one that shows something odd has found a fault.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, expect

from cli.main import DEFAULT_GRAPHS
from tests.support.browser import PHONE, find_chromium, running_browser, screenshot
from tests.support.console import ConsoleSystem, console_system
from tests.support.page import badge
from tests.support.server import valkey

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "console"
WIDE: Mapping[str, Any] = {"viewport": {"width": 1360, "height": 860}}
TALL: Mapping[str, Any] = {"viewport": {"width": 1360, "height": 1080}}
Scheme = Literal["light", "dark"]


class Photographer:
    """Opens pages of a system, and takes pictures of them."""

    def __init__(self, browser: Browser, system: ConsoleSystem) -> None:
        self._browser = browser
        self.system = system

    @asynccontextmanager
    async def page(self, path: str, scheme: Scheme, looks: Mapping[str, Any]) -> AsyncGenerator[Page]:
        """A page of the first pod."""
        context = await self._browser.new_context(base_url=self.system.url, color_scheme=scheme, **looks)
        page = await context.new_page()
        await page.goto(path)
        yield page
        await context.close()

    async def take(
        self,
        name: str,
        path: str,
        until: Callable[[Page], Awaitable[Any]],
        scheme: Scheme = "light",
        looks: Mapping[str, Any] = WIDE,
    ) -> None:
        """A picture of a page, once it shows what it is taken for."""
        async with self.page(path, scheme, looks) as page:
            await until(page)
            await screenshot(page, FOLDER / f"{name}.png")


def shows(text: str) -> Callable[[Page], Awaitable[Any]]:
    """Wait until a text is to be seen."""
    return lambda page: page.get_by_text(text).first.wait_for(timeout=60_000)


def has_come(events: int) -> Callable[[Page], Awaitable[Any]]:
    """Wait until the page shows so many events."""
    number = "Number(/ ([0-9]+)[/]/.exec(document.querySelector('.transport-where').textContent)?.[1])"
    return lambda page: page.wait_for_function(f"() => {number} >= {events}", timeout=60_000)


def stands(status: str) -> Callable[[Page], Awaitable[Any]]:
    """Wait until the task has that status."""
    return lambda page: expect(badge(page)).to_have_text(status, timeout=60_000)


async def live(at: Photographer) -> None:
    """A fan-out as it runs."""
    task = f"/?task={await at.system.submit('analysts')}"
    running = has_come(170)
    await asyncio.gather(
        at.take("live", task, running),
        at.take("live-dark", task, running, "dark"),
        at.take("live-phone", task, running, "dark", PHONE),
    )


async def waiting(at: Photographer) -> None:
    """A task that asks a person."""
    reason = "The lamp arrived broken."
    task = f"/?task={await at.system.submit('approval', customer='Ada Lovelace', amount=120, reason=reason)}"
    await at.take("waiting", task, stands("waiting"))
    await at.take("waiting-phone", task, stands("waiting"), "light", PHONE)


async def takeover(at: Photographer) -> None:
    """A task whose worker was killed, and what the next attempt did again."""
    task_id = await at.system.submit("thinker")
    async with at.page(f"/?task={task_id}", "light", WIDE) as page:
        await page.get_by_text("tools", exact=True).first.wait_for()
        await asyncio.sleep(1)
        await at.system.worker.kill()
        await at.system.worker.start()
        await stands("succeeded")(page)
        await screenshot(page, FOLDER / "takeover.png")
    await at.take("takeover-dark", f"/?task={task_id}", stands("succeeded"), "dark")


async def replay(at: Photographer) -> None:
    """A moment of a task that has ended, with an event looked at."""
    task_id = await at.system.submit("thinker", question="Who stole the tarts?")
    await at.system.until(task_id, "succeeded")

    async def inspect(page: Page) -> None:
        await stands("running")(page)
        await page.get_by_role("listbox", name="Events").get_by_role("option").last.click()

    for name, scheme, looks in (("replay", "dark", TALL), ("replay-phone", "light", PHONE)):
        await at.take(name, f"/?task={task_id}#at=1-44", inspect, scheme, looks)  # pyright: ignore[reportArgumentType]


async def lists(at: Photographer) -> None:
    """The tasks of all this, and the form."""
    cancelled = await at.system.submit("analysts")
    await at.system.client.post(f"/tasks/{cancelled}/cancel")
    await at.system.submit("digest")
    await at.system.submit("analysts")
    await asyncio.sleep(3)
    for name, scheme, looks in (
        ("list", "light", WIDE),
        ("list-dark", "dark", WIDE),
        ("list-phone", "light", PHONE),
    ):
        await at.take(name, "/", shows("waiting"), scheme, looks)  # pyright: ignore[reportArgumentType]
    await at.take("submit", "/?new&graph=analysts", shows("volatility"))
    await at.take("submit-phone", "/?new&graph=analysts", shows("volatility"), "dark", PHONE)


async def main(port: int) -> None:
    """Take them all."""
    executable = find_chromium()
    if executable is None:
        sys.exit("there is no Chromium here; on Debian: apt install chromium")
    FOLDER.mkdir(exist_ok=True)
    async with running_browser(executable) as browser, console_system(port, DEFAULT_GRAPHS) as system:
        for take in (live, waiting, takeover, replay, lists):
            await take(Photographer(browser, system))


if __name__ == "__main__":
    with valkey() as its_port:
        asyncio.run(main(its_port))
