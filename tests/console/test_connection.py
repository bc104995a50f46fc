"""The console's connection in a real browser: native EventSource while that tries, and the page after it."""

from __future__ import annotations

import pytest

from events.model import EventType
from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.following import FOLLOW, TEN, Probe, follow
from tests.support.impostor import STREAM, impostor
from tests.support.logs import ids, plant
from tests.support.waiting import wait_until


async def test_every_type_is_listened_for(tabs: Tabs) -> None:
    """An EventSource silently drops what nobody asked for by name."""
    page = await tabs.blank()
    types = await page.evaluate("async () => (await import('/console/timeline/kinds.js')).TYPES")
    assert types == [kind.value for kind in EventType]


async def test_a_task_is_followed_to_its_end(tabs: Tabs, system: ConsoleSystem) -> None:
    """Each event once and in order, from a worker's real run; then nothing is connected any more."""
    probe = await follow(tabs, await system.submit("counting", count=200))
    assert await probe.until("ended") == {"kind": "ended", "type": "task.succeeded"}
    seen = await probe.seen()
    assert [int(it.partition("-")[2]) for it in seen] == list(range(1, len(seen) + 1))
    assert len(seen) > 200
    assert await probe.page.evaluate("() => probe.stream.dropped") == 0


async def test_a_killed_pod_is_survived(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """The browser reconnects by itself; the state tells from where on, and how many came meanwhile."""
    tabs.allow(REFUSED, CUT_OFF)
    probe = await follow(tabs, ten)
    assert await probe.until("live") == {"kind": "live", "resumed": None}
    await system.pod.kill()
    await probe.until("lost")
    await plant(system.log, ten, ids("1-11", "1-22"))
    await system.pod.start()
    live = await probe.until("live")
    assert live["resumed"] == {"cursor": "1-10", "missed": 12}
    assert await probe.seen() == TEN + ids("1-11", "1-22")
    assert (await probe.kinds()).count("lost") == 1


async def test_a_pod_that_drains_is_survived(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """The stream ends cleanly, and the next pod in its place goes on."""
    tabs.allow(REFUSED, CUT_OFF)
    probe = await follow(tabs, ten)
    await probe.until("live")
    await system.pod.stop()
    await probe.until("lost")
    await system.pod.start()
    assert (await probe.until("live"))["resumed"] == {"cursor": "1-10", "missed": 0}
    assert await probe.seen() == TEN


@pytest.mark.parametrize(
    "head",
    [
        "503 Service Unavailable",
        "502 Bad Gateway\r\nContent-Type: text/html",
        "200 OK\r\nContent-Type: text/html",
        "404 Not Found\r\nContent-Type: text/html",
    ],
)
async def test_the_page_takes_over_when_eventsource_gives_up(
    tabs: Tabs, system: ConsoleSystem, ten: str, head: str
) -> None:
    """What stands between answers for a while: the page waits ever longer, and resumes after what it has."""
    tabs.allow(REFUSED, CUT_OFF, "responded with a status of", "MIME type")
    probe = await follow(tabs, ten)
    await probe.until("live")
    await system.pod.kill()
    await plant(system.log, ten, ["1-11"])
    async with impostor(system.url, head, other=f"{head}\r\nConnection: close\r\n\r\n") as between:
        await wait_until(lambda: between.streams >= 2)
        await probe.until("waiting")
    await system.pod.start()
    await probe.page.evaluate("() => probe.stream.retryNow()")
    assert (await probe.until("live"))["resumed"] == {"cursor": "1-10", "missed": 1}
    assert await probe.seen() == [*TEN, "1-11"]
    waits = [state["tries"] for state in await probe.states() if state["kind"] == "waiting"]
    assert waits == list(range(1, len(waits) + 1))


async def test_a_stream_that_opens_and_ends_is_not_called_live(
    tabs: Tabs, system: ConsoleSystem, ten: str
) -> None:
    """Draining, or Redis away: a pod answers 200 and ends, again and again; the state doesn't flicker.

    The page's clock stands still meanwhile, so that no stream is open for long, however slow the machine.
    """
    tabs.allow(REFUSED, CUT_OFF)
    probe = Probe(await tabs.blank())
    await probe.page.clock.install()
    await probe.page.evaluate(FOLLOW, ten)
    await probe.until("live")
    await probe.page.clock.pause_at(await probe.page.evaluate("() => Date.now() + 2000"))
    await system.pod.kill()
    task = '200 OK\r\nConnection: close\r\n\r\n{"status": "running", "last_event_id": "1-10"}'
    async with impostor(system.url, STREAM, "retry: 50\n\n: draining\n\n", task, hold=0.2) as draining:
        await wait_until(lambda: draining.streams > 8)
    kinds = await probe.kinds()
    assert [kind for kind in kinds if kind != "catching-up"] == ["connecting", "live", "lost"]
    await system.pod.start()
    await probe.page.clock.resume()
    await probe.until("live")


@pytest.mark.parametrize("task_id", ["01998d0c-0000-7000-8000-000000000000", "no-task", "a/b?c"])
async def test_a_task_that_is_not_there_is_gone(tabs: Tabs, task_id: str) -> None:
    """The pod's own words are shown, and nobody asks again."""
    tabs.allow("status of 404")
    probe = await follow(tabs, task_id)
    gone = await probe.until("gone")
    assert gone["code"] in ("task_not_found", "not_found")
    assert gone["detail"]
    await probe.page.evaluate("() => probe.stream.retryNow()")
    assert (await probe.kinds())[-1] == "gone"


async def test_after_the_end_nobody_asks_again(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """An EventSource left alone would come back for its 204; a page has no need to."""
    tabs.allow(REFUSED, CUT_OFF, "responded with a status of")
    probe = await follow(tabs, ten)
    await probe.until("live")
    await system.pod.kill()
    end = 'id: 1-11\nevent: task.succeeded\ndata: {"attempt":1,"seq":11,"type":"task.succeeded"}\n\n'
    async with impostor(system.url, STREAM, f"retry: 1\n\n{end}") as sealed:
        assert await probe.until("ended") == {"kind": "ended", "type": "task.succeeded"}
        before = sealed.others
        await probe.page.evaluate("async () => { for (let n = 0; n < 50; n += 1) await fetch('/other'); }")
        assert sealed.others - before == 50
        assert sealed.streams == 1
