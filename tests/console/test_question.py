"""Questions and outcomes, on the page of a task."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.browser import CUT_OFF, REFUSED, Tabs, axe
from tests.support.console import ConsoleSystem
from tests.support.written import WrittenTask, options, region, written_task

WISH = {"customer": "Ada", "amount": 120, "reason": "It arrived broken."}


@pytest_asyncio.fixture(loop_scope="session")
async def task(system: ConsoleSystem) -> AsyncGenerator[WrittenTask]:
    """A task whose first attempt has begun."""
    async with written_task(system) as it:
        yield it


async def ask(task: WrittenTask, *values: Any) -> str:
    """Have the task ask these questions at once; gives the id of the event."""
    questions = [{"id": f"q{number}", "value": value} for number, value in enumerate(values)]
    return await task.add("task.interrupted", interrupts=questions)


async def answers(system: ConsoleSystem, task_id: str) -> list[Any]:
    """What the task was answered, by its log."""
    page = (await system.client.get(f"/tasks/{task_id}/events?types=task.resumed")).json()
    return [event["data"]["value"] for event in page["events"]]


async def sent_by(page: Page, button: str) -> Any:
    """What a click on the button sends to the pod, which takes it."""
    async with page.expect_response(re.compile("/resume$")) as response:
        await region(page, "Question").get_by_role("button", name=button, exact=True).click()
    assert (await response.value).status == 202
    return (await response.value).request.post_data_json


async def test_an_answer_is_given_by_the_form_of_its_schema(tabs: Tabs, system: ConsoleSystem) -> None:
    """What the graph told is read, what is missing is said, and the task goes on to its end."""
    task_id = await system.submit("approval", **WISH)
    page = await tabs.open(f"/?task={task_id}")
    question = region(page, "Question")
    await expect(question.get_by_role("heading", name="Refund 120.00 euros to Ada?")).to_be_visible()
    await expect(question).to_contain_text("Dear Ada,\n\nWe refund you 120.00 euros.")
    await question.get_by_role("button", name="Send the answer").click()
    await expect(question).to_contain_text("This is needed.")
    await question.get_by_label("approve").check()
    await question.get_by_label("Note").fill("Sorry!\nYours")
    await question.get_by_role("button", name="Send the answer").click()
    await expect(question).to_be_hidden()
    await expect(region(page, "Outcome")).to_contain_text("We refund you 120.00 euros.\n\nSorry!\nYours")
    assert await answers(system, task_id) == [{"decision": "approve", "note": "Sorry!\nYours"}]
    await page.get_by_role("option").filter(has_text="task.interrupted").click()
    await page.get_by_role("button", name="Go to this moment").click()
    await expect(question).to_contain_text(re.compile("Answered.*Sorry!\nYours", re.DOTALL))
    await expect(question.get_by_role("button", name="Send the answer")).to_have_count(0)


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [("text", '{"a": 1}', '{"a": 1}'), ("JSON", '{"a": [1, null]}', {"a": [1, None]}), ("JSON", "0", 0)],
)
async def test_a_free_answer_is_text_or_json(
    tabs: Tabs, system: ConsoleSystem, kind: str, typed: str, value: Any
) -> None:
    """As the reader chooses."""
    task_id = await system.submit("asking")
    page = await tabs.open(f"/?task={task_id}")
    question = region(page, "Question")
    await question.get_by_role("textbox", name="Answer").fill(typed)
    await question.get_by_label(f"As {kind}").check()
    await question.get_by_role("button", name="Send the answer").click()
    await system.until(task_id, "succeeded")
    assert await answers(system, task_id) == [value]
    await expect(question).to_be_hidden()


async def test_json_is_checked_before_it_is_sent(tabs: Tabs, task: WrittenTask) -> None:
    """What was typed stays as it is."""
    await task.add("node.started", "work:aa000001")
    await ask(task, "What now?")
    page = await tabs.open(task.path)
    box = region(page, "Question").get_by_role("textbox", name="Answer")
    await box.fill("{'a': 1}")
    await region(page, "Question").get_by_label("As JSON").check()
    await region(page, "Question").get_by_role("button", name="Send the answer").click()
    await expect(region(page, "Question")).to_contain_text("This is no JSON.")
    await expect(box).to_have_attribute("aria-invalid", "true")
    await expect(box).to_have_value("{'a': 1}")
    assert await axe(page) == []


async def test_an_option_is_a_button(tabs: Tabs, task: WrittenTask) -> None:
    """It sends the very value, and what was sent is told until the task goes on."""
    await ask(task, {"prompt": "How many?", "options": ["none", 3, True, None]})
    page = await tabs.open(task.path)
    await expect(region(page, "Question").get_by_role("button")).to_have_text(["none", "3", "true", "null"])
    assert await sent_by(page, "3") == {"value": 3, "interrupt_id": "q0"}
    await expect(region(page, "Question")).to_contain_text(re.compile("Answered.*3", re.DOTALL))
    await task.attempt()
    await expect(region(page, "Question")).to_be_hidden()


async def test_one_of_several_questions_is_answered(
    tabs: Tabs, system: ConsoleSystem, task: WrittenTask
) -> None:
    """What was typed for another one is still there when that is asked again."""
    await ask(task, "First?", "Second?")
    page = await tabs.open(task.path)
    question = region(page, "Question")
    boxes = question.get_by_role("textbox", name="Answer")
    await expect(question).to_contain_text("one of 2 questions")
    await boxes.nth(1).fill("not yet")
    answer = {"value": "yes", "interrupt_id": "q0"}
    assert (await system.client.post(f"/tasks/{task.task_id}/resume", json=answer)).status_code == 202
    await task.attempt()
    await task.add("task.resumed", interrupt_id="q0", value="yes")
    await expect(question).to_be_hidden()
    again = [{"id": "q1", "value": "Second?"}]
    await task.add("task.interrupted", interrupts=again)
    await expect(boxes).to_have_count(1)
    await expect(boxes).to_have_value("not yet")
    await page.evaluate("location.hash = '#at=1-3'")
    await expect(question.get_by_role("article").first).to_contain_text(
        re.compile("First.*Answered.*yes", re.DOTALL)
    )
    await expect(question.get_by_role("article").last).to_contain_text(
        "It wasn't answered before the task went on."
    )


async def test_somebody_else_was_quicker(tabs: Tabs, system: ConsoleSystem, task: WrittenTask) -> None:
    """The pod refuses a second answer, and the page says so."""
    tabs.allow("responded with a status of 409")
    await ask(task, "Who?")
    page = await tabs.open(task.path)
    await region(page, "Question").get_by_role("textbox", name="Answer").fill("me")
    answer = await system.client.post(f"/tasks/{task.task_id}/resume", json={"value": "I"})
    assert answer.status_code == 202
    await region(page, "Question").get_by_role("button", name="Send the answer").click()
    await expect(region(page, "Question")).to_contain_text("The task doesn't wait for this any more")
    await expect(region(page, "Question").get_by_role("textbox")).to_have_count(0)


async def test_a_failed_answer_can_be_sent_again(tabs: Tabs, system: ConsoleSystem) -> None:
    """No pod is there to take it: nothing that was typed is lost."""
    tabs.allow(REFUSED, CUT_OFF)
    task_id = await system.submit("asking")
    page = await tabs.open(f"/?task={task_id}")
    question = region(page, "Question")
    box = question.get_by_role("textbox", name="Answer")
    await box.fill("plenty")
    await system.pod.kill()
    await question.get_by_role("button", name="Send the answer").click()
    await expect(question.get_by_role("alert")).to_contain_text("No pod answers")
    await expect(box).to_have_value("plenty")
    await expect(box).to_be_enabled()
    await system.pod.start()
    await question.get_by_role("button", name="Send the answer").click()
    await expect(region(page, "Outcome")).to_contain_text("plenty")


async def test_a_result_is_shown_as_text_and_as_json(tabs: Tabs, task: WrittenTask) -> None:
    """Its strings keep their lines, and markup in them shows as itself."""
    result = {"letter": "Dear <b>Ada</b>,\n\nyes.", "count": 12, "items": [{"a": 1}], "none": None}
    await task.add("node.started", "work:aa000001")
    await task.add("task.succeeded", result=result)
    page = await tabs.open(task.path)
    outcome = region(page, "Outcome")
    await expect(outcome.locator(".value-text")).to_have_text("Dear <b>Ada</b>,\n\nyes.", use_inner_text=True)
    await expect(outcome.get_by_role("term")).to_have_text(["letter", "count", "items", "none"])
    assert await axe(page) == []
    await outcome.get_by_role("button", name="JSON", exact=True).click()
    assert await page.evaluate("JSON.parse(document.querySelector('.outcome .json').textContent)") == result


async def test_a_failure_leads_to_its_event(tabs: Tabs, system: ConsoleSystem) -> None:
    """With its code in words, and the id under which the worker's log has the traceback."""
    task_id = await system.submit("failing")
    page = await tabs.open(f"/?task={task_id}")
    outcome = region(page, "Outcome")
    await expect(outcome).to_contain_text("cannot count to 3")
    await expect(outcome).to_contain_text("graph_error A node raised an error.")
    await expect(outcome).to_contain_text((await system.task(task_id))["error"]["traceback_id"])
    await outcome.get_by_role("button", name="work").click()
    await expect(region(page, "Event").get_by_role("heading").first).to_contain_text("node.failed")
    await expect(page.locator("[role=option][aria-selected=true]")).to_contain_text("node.failed")
    assert await axe(page) == []


async def test_before_the_end_there_is_no_outcome(tabs: Tabs, task: WrittenTask) -> None:
    """Neither live nor in replay; a cancellation is said plainly at the end."""
    await task.add("task.cancel_requested")
    page = await tabs.open(task.path)
    await expect(options(page)).to_have_count(3)
    await expect(region(page, "Outcome")).to_be_hidden()
    await task.add("task.cancelled")
    await expect(region(page, "Outcome")).to_contain_text(
        re.compile("was cancelled at .* The request came at")
    )
    await page.evaluate("location.hash = '#at=1-3'")
    await expect(region(page, "Outcome")).to_be_hidden()
