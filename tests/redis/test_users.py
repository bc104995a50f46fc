"""Pods, workers and operators as Redis users of their own: each may do its work, and no more."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import Any

import httpx
import pytest

from events.apikeys import KeyDirectory
from events.connect import connect
from events.keys import Keys
from tests.chaos.process import process
from tests.redis.users import as_user, refusals, settings_of
from tests.support.credentials import made
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_pod, running_worker
from tests.support.secured import bearer, secured_pod, ticket_for
from tests.support.server import Server
from tests.support.system import command
from tests.support.tasks import until_status
from tests.support.waiting import wait_until

SLOW = {"count": 100, "pause": 0.02}


async def one_of_each(pod: RunningPod) -> None:
    """Run tasks to each of the ends there are, and read all that can be read of them."""
    for graph, status in (("counting", "succeeded"), ("failing", "failed"), ("asking", "waiting")):
        task_id = await pod.submit(graph, metadata={"for": "users"})
        await until_status(pod, task_id, status)
        assert (await pod.client.get(f"/tasks/{task_id}/events?limit=1000")).json()["events"]
    answer = await pod.client.post(f"/tasks/{task_id}/resume", json={"value": 1})
    assert answer.status_code == 202
    assert (await pod.stream(task_id))[-1].event == "task.succeeded"
    for query in ("", "?status=succeeded", "?graph=counting", "?status=failed&graph=failing&limit=1"):
        assert (await pod.client.get(f"/tasks{query}")).json()["tasks"]
    assert (await pod.client.get("/graphs/counting")).status_code == 200


async def cancel_all_sorts(pod: RunningPod) -> None:
    """A running task, one that waits for a person, and one that waits for a worker."""
    for graph, status in (("counting", "running"), ("asking", "waiting")):
        task_id = await pod.submit(graph, input=SLOW)
        await until_status(pod, task_id, status)
        assert (await pod.client.post(f"/tasks/{task_id}/cancel")).status_code == 202
        await until_status(pod, task_id, "cancelled")


async def share_a_thread_and_a_key(pod: RunningPod) -> None:
    """A thread is held and given back, and an Idempotency-Key is remembered."""
    first = await pod.submit("counting", thread_id="shared", input=SLOW)
    busy = await pod.client.post("/tasks", json={"graph": "counting", "thread_id": "shared"})
    assert busy.status_code == 409
    await until_status(pod, first, "succeeded")
    body = {"graph": "counting", "thread_id": "shared"}
    answers = [await pod.client.post("/tasks", json=body, headers={"Idempotency-Key": "k"}) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [202, 202]
    await until_status(pod, answers[0].json()["task_id"], "succeeded")


async def look_at_the_queue(pod: RunningPod, queue: Any) -> None:
    """As a scraper has a pod do it, with a dispatch there that is due in ages."""
    await queue.zadd(Keys().queue("default"), {"later:1": 1e15})
    assert 'taskreel_queue_depth{pool="default"} 1.0' in (await pod.client.get("/metrics")).text


@pytest.mark.usefixtures("worker")
async def test_pod_and_worker_lack_nothing(pod: RunningPod, admin: Any) -> None:
    """Every kind of task and question, and Redis has refused nobody anything."""
    await one_of_each(pod)
    await cancel_all_sorts(pod)
    await share_a_thread_and_a_key(pod)
    await look_at_the_queue(pod, admin)
    assert await refusals(admin) == []


async def test_a_takeover_lacks_nothing(pod: RunningPod, server: Server, admin: Any) -> None:
    """A worker is killed in the middle of a task; another one goes on."""
    environment = {"TASKREEL_REDIS_URL": server.url("worker"), "TASKREEL_GRAPHS": ",".join(SPECS)}
    with process("worker", command("worker"), {**environment, "TASKREEL_LEASE_SECONDS": "1"}) as first:
        await announced(pod)
        task_id = await pod.submit("two_steps", input=SLOW)
        await pod.stream(task_id, most=5)
        first.kill()
    async with running_worker(settings_of(server, "worker"), SPECS):
        assert (await until_status(pod, task_id, "succeeded"))["attempt"] == 2
    assert await refusals(admin) == []


async def announced(pod: RunningPod) -> None:
    """Wait until some worker serves graphs."""

    async def any_graph() -> bool:
        return bool((await pod.client.get("/graphs")).json()["graphs"])

    await wait_until(any_graph)


@pytest.mark.usefixtures("worker")
async def test_putting_back_what_redis_lost_lacks_nothing(
    pod: RunningPod, server: Server, admin: Any
) -> None:
    """Redis restarts with nothing; the log of the task that runs is put back, and it ends."""
    task_id = await pod.submit("counting", input=SLOW)
    await pod.stream(task_id, most=5)
    await asyncio.to_thread(server.restart)
    await until_status(pod, task_id, "succeeded")
    assert (await pod.stream(task_id))[0].event == "task.submitted"
    assert await refusals(admin) == []


async def test_operators_keep_the_api_keys_and_look(server: Server, admin: Any) -> None:
    """`taskreel keys` lacks nothing, and whatever there is can be read."""
    environment = {"PATH": os.environ["PATH"], "TASKREEL_REDIS_URL": server.url("ops")}

    def keys(*words: str) -> str:
        line = command("keys", *words)
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout

    await asyncio.to_thread(keys, "new", "--name", "ada", "--role", "ops", "--tenant", "acme")
    (record,) = map(json.loads, (await asyncio.to_thread(keys, "ls", "--json")).splitlines())
    await asyncio.to_thread(keys, "revoke", record["id"])
    assert await asyncio.to_thread(keys, "ls", "--json") == ""
    await admin.xadd(Keys().log("acme/a"), {"type": "x"})
    assert len(await as_user(server, "ops", "XRANGE", Keys().log("acme/a"), "-", "+")) == 1
    assert (await as_user(server, "ops", "INFO", "memory"))["maxmemory_policy"] == "noeviction"
    assert await refusals(admin) == []


async def test_a_queue_of_its_own_lacks_nothing(server: Server, admin: Any) -> None:
    """arq's part of the work, as the user `queue`."""
    queue = server.url("queue")
    async with (
        running_pod(settings_of(server, "api", queue_url=queue)) as pod,
        running_worker(settings_of(server, "worker", queue_url=queue), SPECS),
    ):
        task_id = await pod.submit("counting")
        await until_status(pod, task_id, "succeeded")
        await look_at_the_queue(pod, admin)
    assert await refusals(admin) == []


@pytest.mark.usefixtures("worker")
async def test_a_pod_that_asks_who_somebody_is_lacks_nothing(server: Server, admin: Any) -> None:
    """Keys, tickets with the secret that pods share, a thread and limits, and the end at a revocation."""
    ops = connect(server.url("ops"))
    directory = KeyDirectory(ops, Keys())
    key, record = await made(directory, "default", "ada")
    async with secured_pod(settings_of(server, "api"), max_unfinished=1) as pod:
        pod.client.headers.update(bearer(key))
        task_id = await pod.submit("counting", thread_id="hers", input={"count": 100_000, "pause": 0.02})
        full = await pod.client.post("/tasks", json={"graph": "counting"})
        assert (full.status_code, full.json()["code"]) == (429, "too_many_tasks")
        ticket = await ticket_for(pod, key, task_id)
        await pod.client.post(f"/tasks/{task_id}/cancel")
        await until_status(pod, task_id, "cancelled")
        async with httpx.AsyncClient(base_url=pod.url, timeout=30) as browser:
            opened = await browser.get(f"/tasks/{task_id}/stream", params={"ticket": ticket})
        assert "task.cancelled" in opened.text
        after = await pod.submit("counting", thread_id="hers", input={"count": 1, "pause": 0})
        await until_status(pod, after, "succeeded")
        await directory.revoke(record.id)

        async def shut_out() -> bool:
            return (await pod.client.get("/tasks")).status_code == 401

        await wait_until(shut_out)
    await ops.aclose()
    assert await refusals(admin) == []
