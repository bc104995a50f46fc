"""Limits with Redis's users as operators set them up: what is counted is refused to no pod and no worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from events.apikeys import KeyDirectory, Role
from events.append import Appender
from events.connect import connect
from events.graphs import GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.quotas import Owner, StreamQuota
from events.settings import Auth
from events.tasks import TaskStore
from tests.redis.servers import guarded_server
from tests.redis.users import refusals, settings_of
from tests.support.credentials import made
from tests.support.http import ECHO, code, submit
from tests.support.logs import SUCCEEDED, attempt
from tests.support.pods import running_pod
from tests.support.server import Server
from tests.support.waiting import wait_until
from tests.support.wire import listen

ADA = Owner("acme", "ada")


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server with our users."""
    with guarded_server(request.param, tmp_path) as it:
        yield it


async def _prepared(server: Server) -> dict[str, str]:
    """A graph that a worker has announced, and the header of a key that an operator has made."""
    worker, ops = connect(server.url("worker")), connect(server.url("ops"))
    await GraphDirectory(worker, Keys()).announce([ECHO])
    key, _ = await made(KeyDirectory(ops, Keys()), *ADA, Role.OPS)
    await worker.aclose()
    await ops.aclose()
    return {"Authorization": f"Bearer {key}"}


async def _nothing_is_counted(admin: Redis) -> bool:
    return not await admin.exists(Keys().unfinished(*ADA), Keys().streams(*ADA))


async def test_what_is_counted_lacks_nothing(server: Server) -> None:
    """Submits, unfinished tasks that are questioned, one that ends, and streams that are held on and left."""
    me = await _prepared(server)
    admin, worker = connect(server.url("admin")), connect(server.url("worker"))
    limits = {"submits_per_minute": 5, "max_unfinished": 1, "max_streams_per_principal": 1}
    async with running_pod(settings_of(server, "api", auth=Auth.KEYS, **limits)) as pod:
        task_id = (await submit(pod, headers=me)).json()["task_id"]
        await admin.zadd(Keys().unfinished(*ADA), {f"acme/{task_id}": 0})
        assert code(await submit(pod, headers=me)) == (429, "too_many_tasks")
        async with listen(pod, task_id, headers=me) as wire:
            await wire.until(b"id: 0-1\n")
            assert code(await pod.client.get(f"/tasks/{task_id}/stream", headers=me))[0] == 429
            log, appender = EventLog(worker, Keys()), Appender(worker, Keys())
            await attempt(TaskStore(log, retention_seconds=60), appender, f"acme/{task_id}", [SUCCEEDED])
            await wire.rest()
        await wait_until(lambda: _nothing_is_counted(admin))
        answers = [await submit(pod, headers=me, thread_id="t") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [202, 429, 429, 429]
        assert code(answers[-1]) == (429, "too_many_submits")
        await StreamQuota(pod.pod.redis, Keys(), life_seconds=30).hold({ADA: ["a-stream"]})
        assert not await _nothing_is_counted(admin)
    assert await refusals(admin) == []
    await appender.close()
    await worker.aclose()
    await admin.aclose()
