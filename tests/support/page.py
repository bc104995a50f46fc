"""What tests look at on a task's page."""

from __future__ import annotations

from playwright.async_api import Locator, Page

_COLLECT = """async () => {
  const list = document.querySelector("[role=listbox][aria-label=Events]");
  const found = new Map();
  const picture = () => new Promise(requestAnimationFrame);
  for (let top = 0; ; top += list.clientHeight / 2) {
    list.scrollTop = top;
    await picture();
    await picture();
    for (const row of list.querySelectorAll("[role=option]")) {
      const [place, id] = [Number(row.ariaPosInSet), row.querySelector(".events-id").textContent];
      const before = found.get(place) ?? id;
      if (before !== id) throw new Error(`${id} stands where ${before} stood, at ${place}`);
      found.set(place, id);
    }
    if (top >= list.scrollHeight) break;
  }
  return [...found].sort(([one], [other]) => one - other).map(([, id]) => id);
}"""
"""Only the rows in sight are in the document, so it scrolls through them all."""


def badge(page: Page) -> Locator:
    """The task's status in the page's head."""
    return page.locator(".head [data-status]")


def heading(page: Page, text: str) -> Locator:
    """A heading of exactly this text."""
    return page.get_by_role("heading", name=text, exact=True)


async def listed_ids(page: Page) -> list[str]:
    """The ids of all events in the page's list, in its order."""
    return await page.evaluate(_COLLECT)


async def go_on(page: Page) -> None:
    """Let the page draw what it has."""
    await page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
