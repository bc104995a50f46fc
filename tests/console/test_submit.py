"""Submitting a task in the browser: the form, its draft, its refusals, the command beside it, the drawing."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Literal
from uuid import uuid4

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.browser import CUT_OFF, PHONE, REFUSED, Tabs, axe
from tests.support.console import ConsoleSystem

HARD = 'it\'s "hard" $HOME `id` \\ <b>ü</b>'


async def form_of(tabs: Tabs, graph: str, **more: Any) -> Page:
    """The submit page, with the form of a graph."""
    page = await tabs.open(f"/?new&graph={graph}", **more)
    await page.get_by_role("radio", name=graph, exact=True).wait_for()
    await page.get_by_role("button", name="Submit").wait_for()
    return page


async def submitted(page: Page) -> str:
    """Submit the form; gives the id of the task whose page comes then."""
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/?task=*")
    return page.url.rpartition("=")[2]


async def first_event(system: ConsoleSystem, task_id: str) -> dict[str, Any]:
    """What a task was submitted with."""
    page = (await system.client.get(f"/tasks/{task_id}/events", params={"limit": 1})).json()
    return page["events"][0]["data"]


async def tasks_with(system: ConsoleSystem, mark: str) -> list[str]:
    """The tasks whose thread begins with a mark."""
    tasks = (await system.client.get("/tasks", params={"limit": 1000})).json()["tasks"]
    return [task["task_id"] for task in tasks if task["thread_id"].startswith(mark)]


async def test_the_shipped_example_is_filled_in(tabs: Tabs, system: ConsoleSystem) -> None:
    """A graph is chosen, its example stands in the form, and Submit leads to the task that has it."""
    page = await tabs.open("/?new")
    await page.get_by_role("radio", name="approval").check()
    await expect(page.get_by_label("Customer")).to_have_value("Ada Lovelace")
    assert page.url.endswith("/?new&graph=approval")
    await page.get_by_label("Customer").fill(HARD)
    task_id = await submitted(page)
    data = await first_event(system, task_id)
    assert (data["graph"], data["input"]["customer"], data["input"]["amount"]) == ("approval", HARD, 120)
    assert data["thread_id"] == task_id


async def test_refusals_stand_at_their_fields(tabs: Tabs) -> None:
    """What fails the graph's schema is said beside its field, which has the focus, until it's mended."""
    page = await form_of(tabs, "approval")
    tabs.allow("status of 422")
    await page.get_by_label("Amount").fill("-1")
    await page.get_by_label("Customer").fill("")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_text("It has to be more than 0.").wait_for()
    await page.get_by_text("This is needed.").wait_for()
    await expect(page.get_by_label("Customer")).to_be_focused()
    assert await page.get_by_label("Amount").get_attribute("aria-invalid") == "true"
    assert await axe(page) == []
    await page.get_by_label("Amount").fill("7")
    await page.get_by_label("Customer").fill("Ada")
    assert await page.locator(".form-error:visible").count() == 0
    await submitted(page)


async def test_a_lost_answer_makes_no_second_task(tabs: Tabs, system: ConsoleSystem) -> None:
    """When the answer is lost on its way, the form stays, and submitting it again leads to the same task."""
    page = await form_of(tabs, "counting")
    mark = f"lost-{uuid4().hex}"
    await page.get_by_text("Thread and metadata").click()
    await page.get_by_label("Thread id").fill(mark)
    tabs.allow("net::ERR_FAILED")

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/tasks", lose, times=1)
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_text("submitting it again makes one task").wait_for()
    (made,) = await tasks_with(system, mark)
    assert await submitted(page) == made
    assert await tasks_with(system, mark) == [made]


async def test_a_double_click_makes_one_task(tabs: Tabs, system: ConsoleSystem) -> None:
    """A second click while the first is under way does nothing."""
    page = await form_of(tabs, "counting")
    mark = f"double-{uuid4().hex}"
    await page.get_by_text("Thread and metadata").click()
    await page.get_by_label("Thread id").fill(mark)
    await page.get_by_role("button", name="Submit").dblclick()
    await page.wait_for_url("**/?task=*")
    assert len(await tasks_with(system, mark)) == 1


async def test_form_and_json_hold_the_same(tabs: Tabs, system: ConsoleSystem) -> None:
    """What is typed in one is there in the other, and what is no JSON is said and not left."""
    page = await form_of(tabs, "counting")
    await page.get_by_role("spinbutton", name="Count").fill("5")
    await page.get_by_role("radio", name="JSON").check()
    box = page.get_by_label("Input as JSON")
    assert json.loads(await box.input_value()) == {"count": 5, "pause": 0}
    await box.fill('{"count": 6,')
    await page.get_by_role("radio", name="Form").click()
    await page.get_by_text("This is no JSON").wait_for()
    assert await page.get_by_role("radio", name="JSON").is_checked()
    await box.fill('{"count": 6, "items": [{"a": null}], "more": 1}')
    await page.get_by_role("radio", name="Form").check()
    await expect(page.get_by_role("spinbutton", name="Count")).to_have_value("6")
    await page.get_by_label("Pause").fill("0.25")
    data = await first_event(system, await submitted(page))
    assert data["input"] == {"count": 6, "items": [{"a": None}], "more": 1, "pause": 0.25}


async def test_a_reload_keeps_what_was_typed(tabs: Tabs) -> None:
    """Each graph has its draft, in the form or as JSON; the example is a button away."""
    page = await form_of(tabs, "approval")
    await page.get_by_label("Amount").fill("77")
    await page.reload()
    await expect(page.get_by_label("Amount")).to_have_value("77")
    await page.get_by_role("radio", name="counting").check()
    await expect(page.get_by_role("spinbutton", name="Count")).to_have_value("3")
    await page.get_by_role("radio", name="JSON").check()
    await page.get_by_label("Input as JSON").fill("{not yet")
    await page.reload()
    await expect(page.get_by_label("Input as JSON")).to_have_value("{not yet")
    await page.get_by_role("radio", name="approval").check()
    await expect(page.get_by_label("Amount")).to_have_value("77")
    await page.get_by_role("button", name="Reset to the example").click()
    await expect(page.get_by_label("Amount")).to_have_value("120")


async def test_a_busy_thread_leads_to_its_task(tabs: Tabs, system: ConsoleSystem) -> None:
    """A refusal because of an unfinished task links to that task."""
    thread = f"busy-{uuid4().hex}"
    body: dict[str, Any] = {"graph": "asking", "input": {}, "thread_id": thread}
    busy = (await system.client.post("/tasks", json=body)).json()["task_id"]
    await system.until(busy, "waiting")
    page = await form_of(tabs, "asking")
    tabs.allow("status of 409")
    await page.get_by_text("Thread and metadata").click()
    await page.get_by_label("Thread id").fill(thread)
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("link", name="Look at the task that is unfinished").click()
    await expect(page).to_have_url(f"{system.url}/?task={busy}")


async def test_metadata_is_checked_and_sent(tabs: Tabs, system: ConsoleSystem) -> None:
    """Metadata has to be an object; it's given back with the task."""
    page = await form_of(tabs, "counting")
    await page.get_by_text("Thread and metadata").click()
    await page.get_by_label("Metadata").fill("[1]")
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_text("Metadata is an object").wait_for()
    await page.get_by_label("Metadata").fill('{"by": "me"}')
    assert (await system.task(await submitted(page)))["metadata"] == {"by": "me"}


async def test_without_a_pod_the_form_stays(tabs: Tabs, system: ConsoleSystem) -> None:
    """It says that no pod answers, keeps what was typed, and works again once one does."""
    page = await form_of(tabs, "approval")
    await page.get_by_label("Customer").fill("Grace")
    tabs.allow(REFUSED, CUT_OFF)
    await system.pod.kill()
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_text("No pod answers").wait_for()
    await expect(page.get_by_label("Customer")).to_have_value("Grace")
    await system.pod.start()
    assert (await first_event(system, await submitted(page)))["input"]["customer"] == "Grace"


async def test_the_command_does_the_same(tabs: Tabs, system: ConsoleSystem) -> None:
    """The curl line can be pasted into a shell, whatever quotes the input holds."""
    page = await form_of(tabs, "approval")
    await page.get_by_label("Reason").fill(HARD)
    await page.get_by_text("From a shell").click()
    await expect(page.get_by_label("The curl command")).to_contain_text("`id`")
    line = await page.get_by_label("The curl command").inner_text()
    process = await asyncio.create_subprocess_exec("sh", "-c", line, stdout=asyncio.subprocess.PIPE)
    answer, _ = await process.communicate()
    data = await first_event(system, json.loads(answer)["task_id"])
    assert data["input"] == {"customer": "Ada Lovelace", "amount": 120, "reason": HARD}


async def test_run_again(tabs: Tabs, system: ConsoleSystem) -> None:
    """An earlier task's input is taken over, and a reload keeps what was changed in it."""
    task_id = await system.submit("counting", count=9, items=["kept"])
    page = await tabs.open(f"/?new&graph=counting&like={task_id}")
    await expect(page.get_by_role("spinbutton", name="Count")).to_have_value("9")
    await page.get_by_role("spinbutton", name="Count").fill("8")
    await page.reload()
    await expect(page.get_by_role("spinbutton", name="Count")).to_have_value("8")
    assert (await first_event(system, await submitted(page)))["input"] == {"count": 8, "items": ["kept"]}


async def test_the_drawing_beside_the_form(tabs: Tabs) -> None:
    """Every node is drawn and told in words; states are marked by a shape, and told too."""
    page = await form_of(tabs, "approval")
    drawing = page.get_by_role("figure", name="Drawing of the graph approval")
    texts = await drawing.locator("svg text").all_text_contents()
    assert sorted(texts) == sorted(["start", "assess", "ask", "conclude", "end"])
    assert "assess, then" in " ".join(await drawing.locator("li").all_text_contents())
    marked = await page.evaluate(_MARKED)
    assert marked == ["failed", ", failed", "#i-cross", "null", "", "graph TD;"]


_MARKED = """async () => {
  const { drawingView } = await import("/console/graph/drawing.js");
  const graph = await (await fetch("/graphs/approval")).json();
  const { element, mark } = drawingView(graph);
  const node = [...element.querySelectorAll("g")].find((it) => it.textContent === "ask");
  const item = [...element.querySelectorAll("li")].find((it) => it.textContent.startsWith("ask"));
  const seen = () => [String(node.getAttribute("data-state")), item.querySelector("span").textContent];
  mark(new Map([["ask", "failed"]]));
  const shape = node.querySelector("use").getAttribute("href").replace(/.*#/, "#");
  const first = [...seen(), shape];
  mark(new Map());
  const older = drawingView({ name: "old", mermaid: "graph TD;" }); // announced by a worker of before
  older.mark(new Map([["ask", "failed"]]));
  return [...first, ...seen(), older.element.textContent];
}"""


@pytest.mark.parametrize(("scheme", "looks"), [("light", PHONE), ("dark", {})])
async def test_the_page_is_accessible(
    tabs: Tabs, scheme: Literal["light", "dark"], looks: dict[str, Any]
) -> None:
    """Axe finds nothing with everything unfolded, and nothing is wider than a phone."""
    page = await form_of(tabs, "digest", scheme=scheme, looks=looks)
    for summary in await page.locator("#page summary").all():
        await summary.click()
    assert await axe(page) == []
    assert re.match("New task", await page.title())
    width = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]
