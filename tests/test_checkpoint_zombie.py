"""A worker process that was stopped past its lease leaves no trace in its successor's checkpoints."""

from __future__ import annotations

import asyncio
import operator
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from redis.asyncio import Redis
from typing_extensions import TypedDict

from events.keys import Keys
from events.settings import Settings
from tests.support.checkpoints import dumps, ids, thread
from tests.support.pods import RunningPod, running_worker
from tests.support.system import command
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver

SPEC = "quiet=tests.test_checkpoint_zombie:quiet"


class State(TypedDict):
    """In which processes nodes ran."""

    pids: Annotated[list[int], operator.add]


async def _quiet(_: State) -> dict[str, list[int]]:
    await asyncio.sleep(1)
    return {"pids": [os.getpid()]}


def quiet() -> StateGraph[Any]:
    """Two nodes that tell nothing before they end, so that their checkpoints are what they write first."""
    builder: Any = StateGraph(State)
    builder.add_node("first", _quiet)
    builder.add_node("second", _quiet)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    return builder


@pytest.fixture
def stopped(settings: Settings, tmp_path: Path) -> Generator[subprocess.Popen[bytes]]:
    """A worker process that will be stopped; what it says is in the file `said`."""
    environment = {
        **os.environ,
        "TASKREEL_REDIS_URL": settings.redis_url,
        "TASKREEL_KEY_PREFIX": settings.key_prefix,
        "TASKREEL_LEASE_SECONDS": "1",
        "TASKREEL_GRAPHS": SPEC,
    }
    with open(tmp_path / "said", "wb") as said:
        process = subprocess.Popen(command("worker"), env=environment, stderr=said)
        yield process
        process.kill()
        process.wait()


async def test_a_worker_that_was_stopped_past_its_lease(
    settings: Settings,
    pod: RunningPod,
    redis: Redis,
    keys: Keys,
    tmp_path: Path,
    stopped: subprocess.Popen[bytes],
) -> None:
    """It goes on where it was, with a node's result in its hands, and can store nothing of it."""
    await wait_until(lambda: _listed(pod))
    task_id = await pod.submit("quiet", input={"pids": []})
    seen = await pod.stream(task_id, most=3)
    assert seen[-1].event == "node.started"
    stopped.send_signal(signal.SIGSTOP)
    async with running_worker(settings, [SPEC]):
        end = (await pod.stream(task_id))[-1].json()
    assert end["data"] == {"result": {"pids": [os.getpid()] * 2}}
    left = await _checkpoints(redis, keys)
    assert len(await ids(RedisSaver(redis, keys, ttl_seconds=60), thread(task_id))) == 1
    assert await redis.get(keys.checkpoints(task_id).fence) == f"{task_id} 2".encode()
    stopped.send_signal(signal.SIGCONT)
    await wait_until(lambda: task_id in (tmp_path / "said").read_text())
    stopped.send_signal(signal.SIGTERM)
    await wait_until(lambda: stopped.poll() is not None)
    assert await _checkpoints(redis, keys) == left


async def _listed(pod: RunningPod) -> bool:
    return "quiet" in (await pod.client.get("/graphs")).text


async def _checkpoints(redis: Redis, keys: Keys) -> dict[bytes, bytes]:
    return {name: dump for name, dump in (await dumps(redis, keys)).items() if b"}:cp" in name}
