"""The EventSource page of docs/clients.md in a real browser, with its pod killed under it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from playwright.async_api import expect
from uuid_utils import uuid7

from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.document import ENDLESS, more, newest, open_document, seen
from tests.support.listening import listening
from tests.support.tasks import log_ids
from tests.support.waiting import wait_until

BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
    b"Content-Length: 3\r\nConnection: close\r\n\r\n502"
)


@contextlib.asynccontextmanager
async def bad_gateway(port: int) -> AsyncGenerator[list[str]]:
    """A proxy that reaches no pod, on the pod's own port; gives the paths that it was asked for."""
    paths: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            paths.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
            writer.write(BAD_GATEWAY)
            await writer.drain()
        writer.close()

    async with listening(refuse, port):
        yield paths


async def test_the_page_submits_and_shows_the_task_to_its_end(tabs: Tabs, system: ConsoleSystem) -> None:
    """A bar, the text, the end; then it asks for nothing more, and a reload submits nothing."""
    page = await open_document(tabs, "/watch.html")
    await expect(page.locator("#end")).to_have_text("task.succeeded")
    task = await newest(system, "digest")
    assert urlsplit(page.url).fragment == task["task_id"]
    assert await page.inner_text("#steps") == "14 of 14"
    assert await page.evaluate("[bar.value, bar.max]") == [14, 14]
    assert await page.text_content("#text") == (await system.task(task["task_id"]))["result"]["digest"]
    assert await seen(page) == await log_ids(system.client, task["task_id"])
    assert await page.evaluate("[...sources].map((source) => source.readyState)") == [2]  # closed
    await page.reload()
    await expect(page.locator("#end")).to_have_text("task.succeeded")
    assert (await newest(system, "digest"))["task_id"] == task["task_id"]


async def test_the_page_goes_on_when_its_pod_is_killed(tabs: Tabs, system: ConsoleSystem) -> None:
    """EventSource comes back by itself: each event once, in order, none missing."""
    tabs.allow(REFUSED, CUT_OFF)
    task_id = await system.submit("counting", **ENDLESS)
    page = await open_document(tabs, f"/watch.html#{task_id}")
    await more(page, 20)
    await system.pod.kill()
    await expect(page.locator("#connection")).to_have_text("reconnecting")
    await system.pod.start()
    await more(page, 20)
    await expect(page.locator("#connection")).to_have_text("")
    await system.client.post(f"/tasks/{task_id}/cancel")
    await expect(page.locator("#end")).to_have_text("task.cancelled")
    assert await seen(page) == await log_ids(system.client, task_id)


async def test_the_page_takes_over_when_event_source_gives_up(tabs: Tabs, system: ConsoleSystem) -> None:
    """A 502 ends an EventSource for good; the page asks on, and resumes where it was."""
    tabs.allow(REFUSED, CUT_OFF, "502", "MIME type")
    task_id = await system.submit("counting", **ENDLESS)
    page = await open_document(tabs, f"/watch.html#{task_id}")
    await more(page, 20)
    await system.pod.kill()
    async with bad_gateway(urlsplit(system.url).port or 0) as paths:
        await wait_until(lambda: f"/tasks/{task_id}" in paths)
    await system.pod.start()
    await more(page, 20)
    await system.client.post(f"/tasks/{task_id}/cancel")
    await expect(page.locator("#end")).to_have_text("task.cancelled")
    assert await seen(page) == await log_ids(system.client, task_id)


async def test_the_page_stops_asking_for_a_task_that_is_not_there(tabs: Tabs, system: ConsoleSystem) -> None:
    """It says what the pod says."""
    tabs.allow("404")
    page = await open_document(tabs, f"/watch.html#{uuid7()}")
    detail = (await system.client.get(f"/tasks/{uuid7()}")).json()["detail"]
    await expect(page.locator("#connection")).to_have_text(detail)


async def test_the_page_says_what_was_lost(tabs: Tabs, system: ConsoleSystem) -> None:
    """Entries that Redis doesn't have any more; what is left is shown."""
    task_id = await system.submit("counting", count=5)
    await system.until(task_id, "succeeded")
    await system.log.redis.xdel(system.log.keys.log(task_id), "1-5", "1-6")
    page = await open_document(tabs, f"/watch.html#{task_id}")
    await expect(page.locator("#end")).to_have_text("task.succeeded")
    assert await page.inner_text("#lost") == "2 events were lost."
    assert await seen(page) == await log_ids(system.client, task_id)
