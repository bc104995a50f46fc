"""The console in a real browser: opening a long log, scrolling and playing it, and lists of many tasks.

What is measured is what a person sees: from the navigation to the picture that shows the log's end, and the
time between pictures while the page scrolls or plays. The browser shares the cores with the pod and Valkey.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import uvloop
from playwright.async_api import Browser, Page, async_playwright
from uuid_utils import uuid7

from bench import system
from bench.figures import Figure, at_most, median, nearest_rank
from bench.logs import Bench, open_bench
from events.model import Event, EventType, now_ms, timestamp
from events.state import Submission
from events.tasks import TaskStore
from tests.support.browser import ARGUMENTS, DESKTOP, find_chromium

EVENTS = 20_000
TASKS = 10_000
ROUNDS = 3
ROUND_OF_EVENTS = 40
"""Eight runs in parallel, each with a start, three reports and an end: the log is made of such rounds."""

_SHOWN = """(events) => document.querySelector(".head [data-status=succeeded]")
  && document.querySelector(".transport-where").textContent.includes(`/${events.toLocaleString("en")} `)
  && performance.now()"""
_FRAMES = """async (each) => {
  const times = [];
  for (let number = 0; number < 120; number += 1) {
    (EACH)(number / 119);
    times.push(await new Promise(requestAnimationFrame));
  }
  return times.slice(1).map((time, index) => time - times[index]);
}"""
_SCROLL = """(part) => {
  const list = document.querySelector(".events-list, .events [role=listbox]");
  const box = list.scrollHeight > list.clientHeight ? list : list.parentElement;
  box.scrollTop = part * box.scrollHeight;
}"""
_SCRUB = """(part) => {
  const slider = document.querySelector(".transport-slider");
  slider.value = part * slider.max;
  slider.dispatchEvent(new Event("input"));
}"""


def measure(quick: bool) -> list[Figure]:
    """Look at one long log, then at many short ones."""
    executable = find_chromium()
    if executable is None:
        print("there is no Chromium here;", end=" ")
        return []
    with system.valkey() as valkey:
        task_id = uvloop.run(_on(valkey, long_log))
        with system.pod(valkey) as (port, _):
            url = f"http://127.0.0.1:{port}"
            found = asyncio.run(_in_browser(executable, url, task_id))
            uvloop.run(_on(valkey, lambda bench: many_tasks(bench, TASKS // 10 if quick else TASKS)))
            return found + asyncio.run(_lists(executable, url))


async def long_log(bench: Bench) -> str:
    """A sealed log of many runs, some of them in parallel; gives the task's id."""
    writer = await bench.claim()
    written = 2
    while written < EVENTS - ROUND_OF_EVENTS:
        runs = [(f"analyst {number}", uuid7().hex[-8:]) for number in range(8)]
        for node, run in runs:
            await writer.append(Event(EventType.NODE_STARTED, {}, node, run))
        for step in range(1, 4):
            for node, run in runs:
                data = {"message": f"window {step} of 3", "current": step, "total": 3}
                await writer.append(Event(EventType.PROGRESS, data, node, run))
        for node, run in runs:
            await writer.append(Event(EventType.NODE_COMPLETED, {"update": {"score": 1}}, node, run))
        written += ROUND_OF_EVENTS
        await writer.flush()
    while written < EVENTS - 1:
        await writer.append(Event(EventType.PROGRESS, {"message": "done"}))
        written += 1
    await writer.append(Event(EventType.TASK_SUCCEEDED, {"result": {"events": EVENTS}}))
    await writer.flush()
    return writer.claim.task_id


async def many_tasks(bench: Bench, tasks: int) -> None:
    """As many tasks that nobody runs, of one graph; two of another."""
    store = TaskStore(bench.log, retention_seconds=600)
    for number in range(tasks):
        task_id = str(uuid7())
        graph = "rare" if number % (tasks // 2) == 0 else "usual"
        await store.submit(Submission(task_id, graph, "none", {}, task_id, {}, timestamp(now_ms())))


async def _on(valkey: int, work: Callable[[Bench], Awaitable[str | None]]) -> str:
    async with open_bench(valkey) as bench:
        return await work(bench) or ""


async def _in_browser(executable: str, url: str, task_id: str) -> list[Figure]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        opened = [await _open(browser, f"{url}/?task={task_id}") for _ in range(ROUNDS)]
        page = opened[-1][1]
        scrolled = await page.evaluate(_FRAMES.replace("EACH", _SCROLL))
        scrubbed = await page.evaluate(_FRAMES.replace("EACH", _SCRUB))
        nodes = await page.evaluate("() => document.querySelectorAll('*').length")
        await browser.close()
    took = [ms / 1000 for ms, _ in opened]
    note = f"{EVENTS:,} events, navigation to the end shown; rounds {', '.join(f'{s:.2f}' for s in took)}"
    return [
        Figure("console: a long log opens in", median(took), "s", at_most(2), note),
        _frames("console: between pictures, scrolling its events", scrolled),
        _frames("console: between pictures, dragging its slider", scrubbed),
        Figure("console: elements in that page", nodes, "", at_most(3000), "however long the log"),
    ]


async def _open(browser: Browser, address: str) -> tuple[float, Page]:
    page = await browser.new_page(**DESKTOP)
    await page.goto(address, wait_until="commit")
    shown = await page.wait_for_function(_SHOWN, arg=EVENTS, polling="raf", timeout=60_000)
    return await shown.json_value(), page


def _frames(what: str, times: list[float]) -> Figure:
    note = f"median {median(times):.1f} ms, worst {max(times):.1f} ms of {len(times)}; 60 Hz are 16.7"
    return Figure(f"{what}, p95", nearest_rank(times, 95), "ms", at_most(34), note)


async def _lists(executable: str, url: str) -> list[Figure]:
    figures: list[Figure] = []
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for name, query in {"all": "", "one graph": "?graph=rare", "one status": "?status=failed"}.items():
            took: list[float] = []
            for _ in range(5):
                answer = await client.get(f"/tasks{query}")
                took.append(answer.elapsed.total_seconds() * 1000)
            what = f"console: GET /tasks of {TASKS:,}, {name}"
            figures.append(Figure(what, median(took), "ms", at_most(50), "median of 5"))
    return figures
