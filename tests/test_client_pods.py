"""The client against real pods."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from redis.asyncio import Redis

import cli.client
from cli.client import Client
from cli.failures import ClientError
from cli.wire import Event, Notice
from events.keys import Keys
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.scripted import (
    TASK,
    seqs,
)
from tests.support.waiting import wait_until


@pytest.fixture
async def system(pod: RunningPod, settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod, and a worker that has announced the test graphs."""
    async with running_worker(settings, SPECS):
        yield pod


async def test_a_real_task_from_submission_to_its_end(system: RunningPod) -> None:
    """What is followed live is what history has, and what the task's state says."""
    async with Client(system.url) as client:
        task = await client.submit("counting", {"count": 3}, metadata={"for": "me"})
        async with client.follow(task["task_id"]) as events:
            live = [event async for event in events]
        assert [event async for event in client.events(task["task_id"])] == live
        progress = [event async for event in client.events(task["task_id"], "1-3", types=["progress"])]
        state = await client.task(task["task_id"])
        listed = [one["task_id"] async for one in client.tasks(graph="counting")]
    assert seqs(live) == list(range(1, len(live) + 1))
    assert [event["data"]["current"] for event in progress] == [1, 2, 3]
    assert (state["status"], state["result"], state["metadata"]) == (
        "succeeded",
        live[-1]["data"]["result"],
        {"for": "me"},
    )
    assert listed == [task["task_id"]]


async def test_the_example_of_the_client_works(
    system: RunningPod, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands in the docstring, with a pod and a graph that are there."""
    example = str(cli.client.__doc__).partition("\n\n")[2]
    example = example.replace("http://127.0.0.1:8000", system.url).replace("digest", "counting")
    names: dict[str, Any] = {"Client": Client}
    exec("async def run():\n" + textwrap.indent(example.replace("sentences", "count"), "    "), names)
    await names["run"]()
    assert capsys.readouterr().out.splitlines()[-1] == "task.succeeded {'result': {'count': 3, 'items': [3]}}"


async def test_a_draining_pod_hands_its_reader_over(
    system: RunningPod, other_pod: RunningPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mid-run the first pod says farewell; the second goes on with the very next event."""

    def soon(_shortest: float, _longest: float) -> bytes:
        return b"retry: 20\n\n"

    monkeypatch.setattr("api.sse.retry", soon)
    notices: list[Notice] = []
    async with Client([system.url, other_pod.url]) as client:
        task = await client.submit("counting", {"count": 40, "pause": 0.02})
        found: list[Event] = []
        async with client.follow(task["task_id"], on_notice=notices.append) as events:
            async for event in events:
                found.append(event)
                if len(found) == 10:
                    system.pod.streams.drain()
    assert seqs(found) == list(range(1, len(found) + 1))
    assert [one.data["url"] for one in notices] == [system.url, other_pod.url]


async def test_real_gaps_and_rewinds_are_told(system: RunningPod, redis: Redis, keys: Keys) -> None:
    """An entry that Redis has lost, and a cursor from before a roll-back."""
    notices: list[Notice] = []
    async with Client(system.url) as client:
        lossy = await system.submit("counting", input={"count": 5})
        await system.stream(lossy)
        await redis.xdel(keys.log(lossy), "1-5", "1-6")
        async with client.follow(lossy, "1-4", on_notice=notices.append) as events:
            assert seqs([event async for event in events])[0] == 7
        waiting = await system.submit("asking")
        await wait_until(lambda: _is_waiting(client, waiting))
        last = (await client.task(waiting))["last_event_id"]
        async with client.follow(waiting, "1-999", on_notice=notices.append) as events:
            reading = asyncio.ensure_future(anext(events))
            await wait_until(lambda: events.cursor == last)
            reading.cancel()
            await asyncio.wait([reading])
    assert [one.type for one in notices] == ["stream.gap", "stream.rewound"]
    assert notices[0].data == {"requested": "1-4", "first_available": "1-7", "missing": 2}


async def _is_waiting(client: Client, task_id: str) -> bool:
    return (await client.task(task_id))["status"] == "waiting"


@pytest.mark.parametrize(
    ("after", "code"), [(None, "task_not_found"), ("99999999999999999999-1", "invalid_cursor")]
)
async def test_real_refusals_are_client_errors(pod: RunningPod, after: str | None, code: str) -> None:
    """The codes are the contract's."""
    async with Client(pod.url) as client:
        with pytest.raises(ClientError, match=f"^{code}: "):
            await anext(client.follow(TASK, after))
