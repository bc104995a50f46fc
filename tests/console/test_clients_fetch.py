"""The examples with `fetch` of docs/clients.md, and its view, in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Route, expect

from tests.support.browser import CUT_OFF, REFUSED, Tabs
from tests.support.console import ConsoleSystem
from tests.support.document import ENDLESS, more, newest, open_document, seen
from tests.support.snippets import NEXT_ATTEMPT, STORY
from tests.support.tasks import log_ids

RUN = """async (input) => {
  const { run } = await import("./run.js");
  window.seen = [];
  (async () => { for await (const { id } of run(input)) window.seen.push(id); })()
    .then(() => { window.over = true; });
}"""

PARSE = """async ([bytes, ways]) => {
  const { framesOf } = await import("./run.js");
  const whole = new Uint8Array(bytes);
  const found = new Set();
  for (const cuts of ways) {
    const body = new ReadableStream({
      start(controller) {
        for (const [from, to] of cuts) controller.enqueue(whole.slice(from, to));
        controller.close();
      },
    });
    const frames = [];
    for await (const frame of framesOf(body)) frames.push(frame);
    found.add(JSON.stringify(frames));
  }
  return [...found];
}"""
"""The different results of decoding the same bytes cut in several ways."""

VIEW = """async (told) => {
  const { View } = await import("./view.js");
  const view = new View();
  for (const [kind, event] of told) view.take(kind, event);
  return {
    started: [...view.started], completed: [...view.completed], lost: view.lost,
    bars: ["a", "b", "c", "d"].map((run) => view.bar(run) ?? null), texts: Object.fromEntries(view.texts),
    questions: view.questions, end: view.end?.type ?? null,
  };
}"""

AWKWARD = "\n".join(
    (
        "\ufeff: a comment", "retry: 12", "",
        "id: 1-1", "event: progress", 'data: {"a": 1,', 'data:"b": "€ 😀 \u2028"}', "",
        "id: 1-\0", "retry: 1x", "nothing: here", "data", "",
        "event: lost", "",
        "data:  two spaces", "",
        "id: 1-2", "data: half",
    )
)  # fmt: skip
"""A byte order mark, a field that is not known, one without a colon, and a frame that is not whole."""

FRAMES = [
    {"event": "message", "data": "", "id": "", "retry": 12},
    {"event": "progress", "data": '{"a": 1,\n"b": "€ 😀 \u2028"}', "id": "1-1"},
    {"event": "message", "data": "", "id": "1-1"},
    {"event": "message", "data": " two spaces", "id": "1-1"},
]


async def test_fetch_shows_a_task_to_its_end(tabs: Tabs, system: ConsoleSystem) -> None:
    """The POST's answer is the stream, so one request does."""
    page = await open_document(tabs, "/run.html")
    await expect(page.locator("#end")).to_have_text("task.succeeded")
    task = await newest(system, "digest")
    assert await page.evaluate("[bar.value, bar.max]") == [14, 14]
    assert await page.text_content("#text") == (await system.task(task["task_id"]))["result"]["digest"]


async def test_fetch_goes_on_when_its_pod_is_killed(tabs: Tabs, system: ConsoleSystem) -> None:
    """The POST's answer is lost, then the pod dies in mid-stream: one task, each event once, none missing."""
    tabs.allow(REFUSED, CUT_OFF)
    page = await open_document(tabs, "/blank.html")
    before = await system.submit("counting", count=1)

    async def lose_answer(route: Route) -> None:
        sent = route.request.headers
        headers = {name: sent[name] for name in ("content-type", "idempotency-key")}
        await system.client.post("/tasks", content=route.request.post_data or "", headers=headers)
        await route.abort("connectionreset")

    await page.route("**/tasks", lose_answer, times=1)
    await page.evaluate(RUN, {"graph": "counting", "input": ENDLESS})
    await more(page, 20)
    await system.pod.kill()
    await system.pod.start()
    await more(page, 20)
    tasks = (await system.client.get("/tasks", params={"graph": "counting", "limit": 2})).json()["tasks"]
    for task in tasks:
        await system.client.post(f"/tasks/{task['task_id']}/cancel")
    assert tasks[1]["task_id"] == before
    await page.wait_for_function("window.over")
    assert await seen(page) == await log_ids(system.client, tasks[0]["task_id"])


async def test_fetch_is_told_what_is_refused(tabs: Tabs) -> None:
    """A wrong input doesn't become right by asking again."""
    tabs.allow("422")
    page = await open_document(tabs, "/blank.html")
    code = """async () => {
      const { run, Refused } = await import("./run.js");
      try {
        await run({ graph: "counting", input: { count: -1 } }).next();
      } catch (error) {
        return [error instanceof Refused, error.problem.code];
      }
    }"""
    assert await page.evaluate(code) == [True, "invalid_input"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_fetch_decodes_whatever_the_chunks_are(tabs: Tabs, end: str) -> None:
    """Cut between any two bytes: in a character, in a CRLF, in a field's name; and all in single bytes."""
    page = await open_document(tabs, "/blank.html")
    raw = AWKWARD.replace("\n", end).encode()
    size = len(raw)
    ways = [[[0, at], [at, size]] for at in range(1, size)]
    ways += [[[at, at + 1] for at in range(size)], [[0, size]]]
    found = await page.evaluate(PARSE, [list(raw), ways])
    assert [json.loads(frames) for frames in found] == [FRAMES]


async def test_the_view_of_a_story(tabs: Tabs) -> None:
    """The page's view comes to the same as Python's."""
    page = await open_document(tabs, "/blank.html")
    told = json.loads(json.dumps([*STORY]))
    assert await page.evaluate(VIEW, told) == {
        "started": ["a", "b"], "completed": ["b"], "lost": 2, "bars": [0.5, 1, None, None],
        "texts": {"m": "Once twice "}, "questions": [{"id": "q", "value": "Why?"}], "end": None,
    }  # fmt: skip
    told += json.loads(json.dumps([*NEXT_ATTEMPT]))
    assert await page.evaluate(VIEW, told) == {
        "started": ["b"], "completed": ["b"], "lost": 2, "bars": [None, 1, None, None],
        "texts": {"n": "Anew."}, "questions": [], "end": "task.failed",
    }  # fmt: skip
