"""The backup and restore of docs/operations.md: what runs goes on, and who had seen more is told."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from events.connect import connect
from events.settings import Settings
from tests.redis.servers import Server, server
from tests.support.pods import RunningPod, running_pod
from tests.support.server import free_port
from tests.support.tasks import until_status
from tests.support.waiting import wait_until
from tests.support.workers import worker_process

SPECS = ["steps=tests.support.graphs:counting", "asking=tests.support.graphs:asking"]
LONG = {"count": 400, "pause": 0.02}


@contextmanager
def kept(folder: Path, port: int, *, appendonly: str) -> Generator[Server]:
    """A Valkey that keeps its data in that folder."""
    folder.mkdir(exist_ok=True)
    with server("valkey", "--dir", str(folder), "--appendonly", appendonly, port=port) as it:
        yield it


async def info(redis: Redis) -> dict[str, Any]:
    """What a server tells of its files."""
    return await redis.info("persistence")


async def back_up(redis: Redis, source: Path, copy: Path) -> None:
    """BGSAVE, and its file is copied when it's done."""
    before = (await info(redis))["rdb_saves"]
    await redis.bgsave(schedule=True)

    async def is_done() -> bool:
        now = await info(redis)
        return now["rdb_saves"] > before and not now["rdb_bgsave_in_progress"]

    await wait_until(is_done)
    assert (await info(redis))["rdb_last_bgsave_status"] == "ok"
    shutil.copy(source / "dump.rdb", copy)


async def restore(redis: Redis) -> None:
    """Have a server that has loaded the snapshot keep an append-only file from now on."""
    await redis.config_set("appendonly", "yes")

    async def is_done() -> bool:
        now = await info(redis)
        return bool(now["aof_enabled"]) and not now["aof_rewrite_in_progress"]

    await wait_until(is_done)


async def has_told(pod: RunningPod, task_id: str, seq: int) -> bool:
    """Whether the log has come as far."""
    last = (await pod.client.get(f"/tasks/{task_id}")).json()["last_event_id"]
    return int(last.partition("-")[2]) >= seq


@pytest.fixture
def port() -> int:
    """Where the server is, before and after."""
    return free_port()


async def test_a_restored_server_goes_on(port: int, tmp_path: Path) -> None:
    """What has ended is the same, what waits can be answered, what runs ends; no id stands for two events."""
    settings = Settings(redis_url=f"redis://127.0.0.1:{port}/0", lease_seconds=2, drain_seconds=0)
    copy = tmp_path / "backup.rdb"
    with kept(tmp_path / "old", port, appendonly="yes"):
        redis = connect(settings.redis_url)
        async with running_pod(settings) as pod, worker_process(settings, tmp_path, SPECS) as worker:
            ended, waiting = await pod.submit("steps"), await pod.submit("asking")
            await until_status(pod, ended, "succeeded")
            await until_status(pod, waiting, "waiting")
            history = (await pod.client.get(f"/tasks/{ended}/events?limit=1000")).json()["events"]
            running = await pod.submit("steps", input=LONG)
            await wait_until(lambda: has_told(pod, running, 10))
            await back_up(redis, tmp_path / "old", copy)
            saved = int((await pod.client.get(f"/tasks/{running}")).json()["last_event_id"].partition("-")[2])
            await wait_until(lambda: has_told(pod, running, saved + 20))
            seen = {event.id: event.data for event in await pod.stream(running, most=saved + 15)}
            worker.signal(signal.SIGKILL)
            await worker.ended()
        await redis.aclose()
    (tmp_path / "new").mkdir()
    shutil.copy(copy, tmp_path / "new" / "dump.rdb")
    with kept(tmp_path / "new", port, appendonly="no"):
        redis = connect(settings.redis_url)
        await restore(redis)
        await redis.aclose()
    with kept(tmp_path / "new", port, appendonly="yes"):
        async with running_pod(settings) as pod, worker_process(settings, tmp_path, SPECS):
            assert (await pod.client.get(f"/tasks/{ended}/events?limit=1000")).json()["events"] == history
            last = list(seen)[-1]
            after = await pod.stream(running, last)
            assert after[0].event == "stream.rewound"
            assert after[0].id in seen
            assert after[-1].event == "task.succeeded"
            later = {event.id: event.data for event in after[1:]}
            assert not seen.keys() & later.keys()
            answer = await pod.client.post(f"/tasks/{waiting}/resume", json={"value": "yes"})
            assert answer.status_code == 202
            await until_status(pod, waiting, "succeeded")
            await until_status(pod, await pod.submit("steps"), "succeeded")
