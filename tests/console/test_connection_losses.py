"""The console's connection when the log has gaps or was rolled back, and when it is dead without a sign."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.following import FOLLOW, TEN, Probe, follow
from tests.support.forgetful import forgetful
from tests.support.impostor import STREAM, impostor
from tests.support.logs import ids, lose, plant, seal


def frame(event_id: str) -> str:
    """A progress event with that id, as a pod would send it."""
    attempt, _, seq = event_id.partition("-")
    event = f'{{"attempt":{attempt},"seq":{seq},"type":"progress","data":{{}}}}'
    return f"id: {event_id}\nevent: progress\ndata: {event}\n\n"


async def test_a_gap_is_told_once(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """The pod's notice explains the jump in seq that follows it."""
    probe = await follow(tabs, ten)
    await probe.until("live")
    await plant(system.log, ten, ["1-14"])
    await probe.has("1-14")
    told = {"requested": "1-10", "first_available": "1-14", "missing": 3}
    assert await probe.notices() == [{"type": "stream.gap", "data": told, "cursor": "1-10"}]


async def test_a_jump_that_nobody_explains_is_a_gap_as_well(
    tabs: Tabs, system: ConsoleSystem, ten: str
) -> None:
    """The page counts by itself; and what it has, it doesn't take again."""
    tabs.allow(REFUSED, CUT_OFF, "responded with a status of")
    probe = await follow(tabs, ten)
    await probe.until("live")
    await system.pod.kill()
    async with impostor(system.url, STREAM, "".join(map(frame, ("1-9", "1-10", "0-11", "1-13")))):
        await probe.has("1-13")
    told = {"requested": "1-10", "first_available": "1-13", "missing": 2}
    assert await probe.notices() == [{"type": "stream.gap", "data": told, "cursor": "1-13"}]
    assert await probe.seen() == [*TEN, "1-13"]
    assert await probe.page.evaluate("() => probe.stream.dropped") >= 3


async def test_a_rewind_puts_the_cursor_back(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """The page is told what to throw away, and gets what there is instead."""
    probe = await follow(tabs, ten)
    await probe.until("live")
    await lose(system.log, ten, ids("1-6", "1-10"))
    await plant(system.log, ten, ids("2-6", "2-8"))
    await probe.has("2-8")
    told = {"requested": "1-10", "last": "1-5"}
    assert await probe.notices() == [{"type": "stream.rewound", "data": told, "cursor": "1-5"}]
    assert await probe.seen() == TEN + ids("2-6", "2-8")
    assert await probe.page.evaluate("() => probe.stream.cursor") == "2-8"


async def test_an_end_behind_the_cursor_is_found(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """A pod answers 204 to the terminal event's id, which ends an EventSource: the task says how it ended."""
    tabs.allow(REFUSED, CUT_OFF, "responded with a status of")
    probe = await follow(tabs, ten)
    await probe.until("live")
    await system.pod.kill()
    async with impostor(system.url, STREAM, f"retry: 50\n\n{frame('1-11')}"):
        await probe.has("1-11")
    await seal(system.tasks, ten, "1-11")
    await system.pod.start()
    assert await probe.until("ended") == {"kind": "ended", "type": "task.succeeded"}


@pytest.mark.parametrize(
    "sign", ["new Event('online')", "new PageTransitionEvent('pageshow', { persisted: true })"]
)
async def test_a_wake_up_makes_a_new_connection(tabs: Tabs, ten: str, sign: str) -> None:
    """What was connected before may be dead without a sign, so nobody waits for it."""
    probe = await follow(tabs, ten)
    await probe.until("live")
    await probe.page.evaluate(f"() => {{ dispatchEvent({sign}); }}")
    await probe.resumed()
    assert (await probe.states())[-1]["resumed"] == {"cursor": "1-10", "missed": 0}
    assert await probe.seen() == TEN


async def test_a_sleep_is_noticed(tabs: Tabs, ten: str) -> None:
    """A timer that fires minutes late tells that the machine has slept."""
    probe = Probe(await tabs.blank())
    await probe.page.clock.install()
    await probe.page.evaluate(FOLLOW, ten)
    await probe.until("live")
    await probe.page.clock.fast_forward("10:00")
    await probe.resumed()
    assert (await probe.states())[-1]["resumed"] == {"cursor": "1-10", "missed": 0}


async def test_a_connection_that_died_without_a_sign_is_found(
    browser: Browser, system: ConsoleSystem, ten: str
) -> None:
    """After a long silence the page asks the task, and makes a new connection if it lacks something."""
    async with forgetful(system.url) as between:
        tabs = Tabs(browser, between.url)
        probe = Probe(await tabs.blank())
        await probe.page.clock.install()
        await probe.page.evaluate(FOLLOW, ten)
        await probe.until("live")
        between.forget()
        await plant(system.log, ten, ["1-11"])
        await probe.clock_until_resumed()
        assert (await probe.states())[-1]["resumed"]["cursor"] == "1-10"
        assert await probe.seen() == [*TEN, "1-11"]
        assert between.streams >= 2
        await tabs.close()
        assert not tabs.unexpected()


async def test_no_network_is_told_as_such(tabs: Tabs, system: ConsoleSystem, ten: str) -> None:
    """While the browser says so; then the page reconnects at once."""
    tabs.allow("net::ERR_INTERNET_DISCONNECTED")
    probe = await follow(tabs, ten)
    await probe.until("live")
    await probe.page.context.set_offline(True)
    await probe.page.evaluate("() => probe.stream.retryNow()")
    await probe.until("offline")
    await plant(system.log, ten, ["1-11"])
    await probe.page.context.set_offline(False)
    assert (await probe.until("live"))["resumed"] == {"cursor": "1-10", "missed": 1}
    assert await probe.seen() == [*TEN, "1-11"]
