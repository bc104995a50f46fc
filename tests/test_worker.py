"""A worker: whatever a graph does, its log tells it and is sealed by one terminal event."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from events.errors import SettingsError
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.waiting import wait_until
from worker.graphs import load_graphs
from worker.run import Runner


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker with the test graphs."""
    async with running_worker(settings, SPECS) as it:
        yield it


async def history(pod: RunningPod, task_id: str) -> list[dict[str, Any]]:
    """A task's whole history, once it is sealed."""
    await pod.stream(task_id)
    page = (await pod.client.get(f"/tasks/{task_id}/events", params={"limit": 1000})).json()
    assert page["sealed"]
    assert [event["seq"] for event in page["events"]] == list(range(1, len(page["events"]) + 1))
    return page["events"]


@pytest.mark.usefixtures("worker")
async def test_a_graph_runs_from_submission_to_success(pod: RunningPod) -> None:
    """Every step of a plain run is there, in order, and the result is the graph's output."""
    task_id = await pod.submit("counting", input={"count": 2})
    events = await history(pod, task_id)
    assert [event["type"] for event in events] == [
        "task.submitted", "attempt.started", "node.started", "progress", "progress", "node.completed",
        "task.succeeded",
    ]  # fmt: skip
    assert events[3]["data"] == {"message": "step 1", "current": 1, "total": 2}
    assert events[3]["node"] == "work"
    task = (await pod.client.get(f"/tasks/{task_id}")).json()
    assert task["status"] == "succeeded"
    assert task["result"] == {"count": 2, "items": [2]}


@pytest.mark.usefixtures("worker")
async def test_a_graph_that_raises_fails_its_task(pod: RunningPod) -> None:
    """The error is told in one line with its node; the traceback stays with the worker."""
    events = await history(pod, await pod.submit("failing"))
    assert [event["type"] for event in events[-2:]] == ["node.failed", "task.failed"]
    assert events[-1]["data"]["code"] == "graph_error"
    assert events[-1]["data"]["message"] == "ValueError: cannot count to 3"
    assert events[-1]["data"]["node"] == "work"
    assert "Traceback" not in str(events)


@pytest.mark.usefixtures("worker")
async def test_events_that_cannot_be_stored_are_dropped_visibly(pod: RunningPod) -> None:
    """Too large, not a number, a lone surrogate: each leaves a trace, and the task goes on."""
    events = await history(pod, await pod.submit("spilling"))
    progress = [event["data"] for event in events if event["type"] == "progress"]
    assert [data.get("dropped", False) for data in progress] == [True, True, True, False]
    assert progress[0]["bytes"] > 300_000
    assert progress[3] == {"value": "just a word"}
    assert events[-1]["type"] == "task.succeeded"


@pytest.mark.usefixtures("worker")
async def test_a_result_that_cannot_be_stored_is_bad_output(pod: RunningPod) -> None:
    """A graph that returns what JSON can't hold fails with a code of its own."""
    events = await history(pod, await pod.submit("bad_output"))
    assert events[-1]["data"]["code"] == "bad_output"


@pytest.mark.usefixtures("worker")
async def test_parallel_branches_say_who_they_are(pod: RunningPod) -> None:
    """Each branch's progress bears the run of its own node execution."""
    events = await history(pod, await pod.submit("fanning", input={"count": 8}))
    runs = {event["run"] for event in events if event["type"] == "progress"}
    assert len(runs) == 8
    assert runs == {event["run"] for event in events if event["type"] == "node.started"}


@pytest.mark.usefixtures("worker")
async def test_a_question_leaves_the_task_waiting(pod: RunningPod) -> None:
    """An interrupt is told with its id and value, and no worker is held."""
    task_id = await pod.submit("asking")

    async def waiting() -> bool:
        return (await pod.client.get(f"/tasks/{task_id}")).json()["status"] == "waiting"

    await wait_until(waiting)
    task = (await pod.client.get(f"/tasks/{task_id}")).json()
    assert task["interrupts"][0]["value"] == {"question": "Is 3 enough?"}


@pytest.mark.usefixtures("worker")
async def test_later_tasks_on_a_thread_see_the_state_of_earlier_ones(pod: RunningPod) -> None:
    """Two tasks on one thread share LangGraph's state, one after the other."""
    first = await pod.submit("counting", thread_id="t", input={"count": 1})
    await history(pod, first)
    second = await pod.submit("counting", thread_id="t", input={"count": 2})
    events = await history(pod, second)
    assert events[-1]["data"]["result"]["items"] == [1, 2]


@pytest.mark.usefixtures("worker")
async def test_a_graph_whose_state_has_no_schema_runs_all_the_same(pod: RunningPod) -> None:
    """It takes any input; the worker warned of it when it started."""
    assert (await pod.client.get("/graphs/opaque")).json()["input_schema"] == {}
    events = await history(pod, await pod.submit("opaque", input={"count": 1}))
    assert events[-1]["data"]["result"] == {"count": 2}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("digest", "NAME=module:attr"),
        ("lost=tests.no_such_module:graph", "No module named 'tests.no_such_module'"),
        ("lost=tests.support.graphs:nothing", "has no attribute 'nothing'"),
        ("lost=tests.support.graphs:SPECS", "not a LangGraph graph"),
    ],
)
def test_a_graph_that_cannot_be_loaded_is_named(spec: str, reason: str) -> None:
    """The worker ends with one line that names the graph and what is wrong with it."""
    with pytest.raises(SettingsError) as caught:
        load_graphs([spec], InMemorySaver())
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
