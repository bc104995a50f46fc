"""The connection's pill: what each state says, how it counts down, and what it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import DESKTOP, PHONE, Tabs, axe, hold_clock

MOUNT = """async () => {
  const { connectionPill } = await import("/console/stream/connection.js");
  for (const name of ["base.css", "stream/connection.css"]) {
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href: `/console/${name}` });
    const loaded = new Promise((done) => link.addEventListener("load", done));
    document.head.append(link);
    await loaded;
  }
  window.pressed = 0;
  window.pill = connectionPill({ retryNow: () => { window.pressed += 1; } });
  const main = document.createElement("main");
  const heading = document.createElement("h1");
  heading.textContent = "A task";
  main.append(heading, window.pill.element);
  document.body.replaceChildren(main);
  document.title = "A task";
  document.documentElement.lang = "en";
}"""
GAP = {"type": "stream.gap", "data": {"requested": "1-10", "first_available": "1-18", "missing": 7}}
REWOUND = {"type": "stream.rewound", "data": {"requested": "1-57", "last": "1-40"}}
MISSING = {"type": "moment.missing", "data": {"id": "1-999"}}
LIVE = {"kind": "live", "since": 0, "resumed": None}
RESUMED = {"kind": "live", "since": 0, "resumed": {"cursor": "1-57", "missed": 12}}


async def mounted(
    tabs: Tabs, scheme: Literal["light", "dark"] = "light", looks: Mapping[str, Any] = DESKTOP
) -> Page:
    """A page with a pill alone."""
    page = await tabs.blank(scheme, looks)
    await page.evaluate(MOUNT)
    return page


async def mounted_still(tabs: Tabs) -> Page:
    """The same, and its clock is the test's."""
    page = await mounted(tabs)
    await hold_clock(page)
    return page


async def show(page: Page, state: Mapping[str, object]) -> None:
    """Have the pill show a state; `in` is when it tries again, in milliseconds from now."""
    await page.evaluate("(it) => pill.show(it.in ? { ...it, retryAt: Date.now() + it.in } : it)", state)


@pytest.mark.parametrize(
    ("state", "says", "button"),
    [
        ({"kind": "connecting"}, "Connecting…", False),
        ({"kind": "catching-up", "behind": 19_500}, "Catching up on 19,500 events…", False),
        (LIVE, "Live", False),
        (RESUMED, "Resumed at 1-57 after 12 missed events", False),
        ({"kind": "live", "resumed": {"cursor": "1-57", "missed": None}}, "Resumed at 1-57", False),
        ({"kind": "lost"}, "Reconnecting…", True),
        ({"kind": "waiting", "in": 3600, "tries": 1}, "Reconnecting in 4 s", True),
        ({"kind": "offline"}, "Offline", True),
        ({"kind": "ended", "type": "task.failed"}, "Ended", False),
        ({"kind": "gone", "code": "log_expired", "detail": "<b>Past</b>."}, "Gone: <b>Past</b>.", False),
    ],
)  # fmt: skip
async def test_each_state_is_told_in_words(
    tabs: Tabs, state: Mapping[str, object], says: str, button: bool
) -> None:
    """As a status that assistive technology reads out; there is a button where pressing it helps."""
    page = await mounted_still(tabs)
    await show(page, state)
    await expect(page.get_by_role("status")).to_have_text(says)
    retry = page.get_by_role("button", name="Reconnect now")
    await expect(retry).to_be_visible(visible=button)
    if button:
        await retry.press("Enter")
        assert await page.evaluate("() => pressed") == 1
        await show(page, LIVE)
        await expect(page.get_by_role("button", name="Connection log")).to_be_focused()


async def test_the_countdown_counts_without_being_read_out(tabs: Tabs) -> None:
    """Each second changes the digits alone, which assistive technology leaves out."""
    page = await mounted_still(tabs)
    await show(page, {"kind": "waiting", "in": 3600, "tries": 1})
    status = page.get_by_role("status")
    for digits in ("4", "3", "2", "1"):
        await expect(status).to_have_text(f"Reconnecting in {digits} s")
        await page.clock.run_for(1000)
    await expect(status.locator("span[aria-hidden=true]")).to_have_text(" in 0 s")
    await show(page, {"kind": "lost"})
    await expect(status).to_have_text("Reconnecting…")


@pytest.mark.parametrize(
    ("notice", "says"),
    [(GAP, "Gap: 7 events lost"), (REWOUND, "Log rolled back to 1-40"), (MISSING, "No event 1-999 here")],
)
async def test_a_notice_is_shown_for_a_while(tabs: Tabs, notice: Mapping[str, object], says: str) -> None:
    """Then the pill says again how the connection is; what happened can be read on in the log."""
    page = await mounted_still(tabs)
    await show(page, LIVE)
    await page.evaluate("(notice) => pill.note(notice)", notice)
    await expect(page.get_by_role("status")).to_have_text(says)
    await page.clock.run_for(7000)
    await expect(page.get_by_role("status")).to_have_text("Live")


async def test_what_happened_can_be_read_on(tabs: Tabs) -> None:
    """Newest first, in whole sentences; opened and closed by the keyboard."""
    page = await mounted(tabs)
    for state in (
        LIVE,
        {"kind": "lost"},
        *({"kind": "waiting", "in": 900, "tries": n} for n in (1, 2)),
        RESUMED,
    ):
        await show(page, state)
    await page.evaluate("(notice) => pill.note(notice)", GAP)
    await page.get_by_role("button", name="Connection log, 4 lines").press("Enter")
    lines = page.get_by_role("listitem").locator("span")
    await expect(lines).to_have_text(
        [
            "Redis lost 7 events between 1-10 and 1-18.",
            "Resumed at 1-57 after 12 missed events.",
            "The browser gave up; the console tries again by itself, ever less often.",
            "The connection was lost; the browser tries again by itself.",
        ]
    )
    await page.keyboard.press("Escape")
    await expect(lines.first).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("looks", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_it_is_accessible(
    tabs: Tabs, scheme: Literal["light", "dark"], looks: Mapping[str, Any]
) -> None:
    """In every state, in both schemes, with its log open."""
    page = await mounted(tabs, scheme, looks)
    for state in (LIVE, RESUMED, {"kind": "lost"}, {"kind": "waiting", "in": 3600, "tries": 1}):
        await show(page, state)
        assert await axe(page) == []
    await page.evaluate("(notice) => pill.note(notice)", GAP)
    await page.get_by_role("button", name="Connection log").press("Enter")
    assert await axe(page) == []
