"""A worker that is told to go: nodes finish if they can, and another worker goes on at once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from events.log import EventLog
from events.model import START
from events.settings import Settings
from tests.support.pods import RunningPod
from tests.support.stubborn_graphs import noted
from tests.support.tasks import assert_whole, types, until_status
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_process

HARDLY_ANY = 0.0
LONG = 60.0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings by which no lease runs out: whoever goes on with a task here had it handed back."""
    return settings.model_copy(update={"lease_seconds": 600})


@pytest.fixture
def patient(settings: Settings) -> Settings:
    """Settings by which nodes may finish however long they take."""
    return settings.model_copy(update={"drain_seconds": LONG})


async def submit(pod: RunningPod, graph: str, record: Path, pause: float) -> str:
    """Submit a task that writes down what it does; gives its id."""
    return await pod.submit(graph, input={"record": str(record), "pause": pause})


def held(folder: Path, record: Path) -> dict[str, str]:
    """The input of a node that takes until it's released."""
    return {"until": str(folder / "until"), "record": str(record)}


async def until_noted(record: Path, line: str) -> None:
    """Wait until that has happened."""
    await wait_until(lambda: line in noted(record))


async def goes_at(going: WorkerProcess, record: Path, line: str) -> None:
    """Tell a worker to go when that has happened, and see that it does."""
    await until_noted(record, line)
    going.signal()
    assert await going.ended() == 0


def ran(names: str) -> list[str]:
    """The notes of nodes that ran one after the other, each once."""
    return [f"{what} {name}" for name in names for what in ("start", "end")]


async def test_a_drain_lets_the_node_finish_and_another_worker_go_on(
    pod: RunningPod, patient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """No node runs twice, and none is cut off; the process ends with status 0."""
    record = tmp_path / "record"
    async with worker_process(patient, tmp_path) as going:
        task_id = await submit(pod, "steps", record, 0.5)
        await goes_at(going, record, "start b")
    assert noted(record) == ran("ab")
    assert (await types(log, task_id))[-1] == "node.completed"
    assert not await log.is_held(task_id)
    async with worker_process(patient, tmp_path):
        task = await until_status(pod, task_id, "succeeded")
    assert (task["attempt"], task["result"]["items"]) == (2, ["a", "b", "c"])
    assert noted(record) == ran("abc")
    started = [entry.event for entry in await log.read(task_id, START) if entry.type == "attempt.started"]
    assert started[1]["data"]["supersedes"] == []
    await assert_whole(log, task_id)


async def test_a_drain_stops_inside_a_subgraph_too(
    pod: RunningPod, patient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The inner graph's finished nodes aren't run again either."""
    record = tmp_path / "record"
    async with worker_process(patient, tmp_path) as going:
        task_id = await submit(pod, "nested", record, 0.5)
        await goes_at(going, record, "start y")
    assert noted(record) == ran("axy")
    async with worker_process(patient, tmp_path):
        task = await until_status(pod, task_id, "succeeded")
    assert task["attempt"] == 2
    assert noted(record) == ran("axyzc")
    await assert_whole(log, task_id)


async def test_a_task_whose_graph_ends_meanwhile_just_ends(
    pod: RunningPod, patient: Settings, tmp_path: Path
) -> None:
    """Its last node was running when the signal came."""
    record = tmp_path / "record"
    async with worker_process(patient, tmp_path) as going:
        task_id = await submit(pod, "steps", record, 0.5)
        await until_noted(record, "start c")
        going.signal()
        assert (await until_status(pod, task_id, "succeeded"))["attempt"] == 1
        assert await going.ended() == 0
    assert noted(record) == ran("abc")


async def test_a_node_that_takes_too_long_is_cut_off_and_run_again(
    pod: RunningPod, settings: Settings, log: EventLog, tmp_path: Path
) -> None:
    """What it wrote is superseded; what had finished before is not run again."""
    record = tmp_path / "record"
    async with worker_process(settings, tmp_path, drain_seconds=HARDLY_ANY) as going:
        task_id = await submit(pod, "steps", record, 1)
        await goes_at(going, record, "start b")
    assert noted(record) == ["start a", "end a", "start b"]
    async with worker_process(settings, tmp_path):
        assert (await until_status(pod, task_id, "succeeded"))["attempt"] == 2
    assert noted(record) == ["start a", "end a", "start b", *ran("bc")]
    await assert_whole(log, task_id)


@pytest.mark.usefixtures("sweeps")
async def test_a_second_signal_cuts_the_drain_short(
    pod: RunningPod, patient: Settings, log: EventLog, tmp_path: Path
) -> None:
    """The node would take longer than this test may."""
    record = tmp_path / "record"
    async with worker_process(patient, tmp_path) as going:
        task_id = await submit(pod, "steps", record, 600)
        await until_noted(record, "start a")
        going.signal(signal.SIGINT)
        await wait_until(lambda: "handing tasks back" in going.said)
        going.signal(signal.SIGINT)
        assert await going.ended() == 0
    assert not await log.is_held(task_id)
    await pod.client.post(f"/tasks/{task_id}/cancel")
    await until_status(pod, task_id, "cancelled")


async def test_each_task_is_handed_back_as_soon_as_it_has_drained(
    pod: RunningPod, patient: Settings, tmp_path: Path
) -> None:
    """It doesn't wait for the others, which keep their leases. A worker that goes takes no new task."""
    short_record, long_record, new_record = (tmp_path / name for name in ("short", "long", "new"))
    async with worker_process(patient, tmp_path) as going:
        long = await pod.submit("holding", input=held(tmp_path, long_record))
        short = await submit(pod, "steps", short_record, 0.5)
        await until_noted(long_record, "start hold")
        await until_noted(short_record, "start a")
        going.signal()
        async with worker_process(patient, tmp_path):
            new = await submit(pod, "steps", new_record, 0)
            assert (await until_status(pod, new, "succeeded"))["attempt"] == 1
            assert (await until_status(pod, short, "succeeded"))["attempt"] == 2
            assert going.lives
            assert (await pod.client.get(f"/tasks/{long}")).json()["attempt"] == 1
            (tmp_path / "until").touch()
            assert await going.ended() == 0
            assert (await until_status(pod, long, "succeeded"))["attempt"] == 2
    assert noted(short_record) == noted(new_record) == ran("abc")
    assert noted(long_record) == ["start hold", "end hold", "start b", "end b"]


async def test_drains_do_not_make_a_task_poison(pod: RunningPod, settings: Settings, tmp_path: Path) -> None:
    """That workers went under it, more often than attempts may fail, is no fault of the task's."""
    given = settings.model_copy(update={"max_attempts": 1})
    record = tmp_path / "record"
    task_id = ""
    for attempt in (1, 2):
        async with worker_process(given, tmp_path) as going:
            task_id = task_id or await pod.submit("holding", input=held(tmp_path, record))
            await wait_until(lambda: noted(record) == ["start hold"] * attempt)  # noqa: B023
            going.signal()
            assert await going.ended() == 0
    (tmp_path / "until").touch()
    async with worker_process(given, tmp_path):
        task = await until_status(pod, task_id, "succeeded", "failed")
    assert (task["status"], task["attempt"]) == ("succeeded", 3)


@pytest.mark.parametrize("wish", ["while it drains", "before it drains"])
async def test_a_task_can_be_cancelled_while_its_worker_goes(
    pod: RunningPod, patient: Settings, log: EventLog, tmp_path: Path, wish: str
) -> None:
    """It ends there and then, and isn't handed back."""
    record = tmp_path / "record"
    async with worker_process(patient, tmp_path) as going:
        task_id = await submit(pod, "steps", record, 600)
        await until_noted(record, "start a")
        if wish == "before it drains":
            await pod.client.post(f"/tasks/{task_id}/cancel")
            going.signal()
        else:
            going.signal()
            await wait_until(lambda: "handing tasks back" in going.said)
            await pod.client.post(f"/tasks/{task_id}/cancel")
        await until_status(pod, task_id, "cancelled")
        assert await going.ended() == 0
    assert (await types(log, task_id)).count("attempt.started") == 1
    await assert_whole(log, task_id)
