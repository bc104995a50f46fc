"""The services of docker-compose.yml at work together, without Docker; `containers` has what is replaced."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.deploy.containers import Container, can_mount, containers, wait_for
from tests.support.nginx import nginx
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM

PODS = ("pod-1", "pod-2")
WORKERS = ("worker-1", "worker-2")
LOAN = {"graph": "approval", "input": {"customer": "Ada", "amount": 120}}
EVENT = re.compile(r"id: (\S+)\nevent: (\S+)\n")

Stack = Mapping[str, Container]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of ours, healthy."""
    if shutil.which("valkey-cli") is None and shutil.which("redis-cli") is None:
        pytest.skip("neither valkey-cli nor redis-cli is installed (Debian: apt install redis-tools)")
    with containers(tmp_path_factory.mktemp("compose")) as it:
        for name in (*PODS, *WORKERS):
            wait_for(it[name])
        yield it


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """An API key, which the service `ops` has made."""
    return stack["ops"].run("keys", "new", "--name", "me", "--role", "ops").strip()


@pytest.fixture
async def client(stack: Stack, key: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the proxy's with that key; a worker is there."""
    with nginx([stack[name].port for name in PODS]) as proxy:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=proxy.url, headers=headers, timeout=60, trust_env=False
        ) as client:
            await wait_until(lambda: _serves(client, "approval"))
            yield client


async def _serves(client: httpx.AsyncClient, graph: str) -> bool:
    return (await client.get(f"/graphs/{graph}")).status_code == 200


async def test_a_client_goes_on_while_a_pod_is_away(stack: Stack, client: httpx.AsyncClient) -> None:
    """A task waits for a person, one of its two readers loses its pod; both end with the same log."""
    task_id = (await client.post("/tasks", json=LOAN)).json()["task_id"]
    await _status(client, task_id, "waiting")
    bodies = [bytearray() for _ in PODS]
    readers = [asyncio.create_task(_read(client, task_id, None, body)) for body in bodies]
    await wait_until(lambda: all(b"event: task.interrupted\n" in body for body in bodies))
    assert await asyncio.to_thread(stack["pod-1"].stop) == 0
    assert not await asyncio.to_thread(stack["pod-1"].healthy)
    (cut,), _ = await asyncio.wait(readers, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    answer = await client.post(f"/tasks/{task_id}/resume", json={"value": "approve"})
    assert answer.status_code == 202
    before = cut.result()
    after = await _read(client, task_id, before[-1][0])
    (uncut,) = [await reader for reader in readers if reader is not cut]
    assert before + after == uncut
    assert uncut[-1][1] == "task.succeeded"
    stack["pod-1"].start()
    await asyncio.to_thread(wait_for, stack["pod-1"])


async def test_what_is_done_outlives_valkey(stack: Stack, client: httpx.AsyncClient) -> None:
    """A task's log is there after all of the containers' ends but the volume's; pods and workers stay."""
    answer = await client.post("/tasks", json={"graph": "digest"}, headers=EVENT_STREAM)
    events = EVENT.findall(answer.text)
    assert events[-1][1] == "task.succeeded"
    task_id = answer.headers["location"].rpartition("/")[2]
    assert await asyncio.to_thread(stack["valkey"].stop) == 0
    stack["valkey"].start()
    await asyncio.to_thread(wait_for, stack["valkey"])
    for name in PODS:
        await asyncio.to_thread(wait_for, stack[name])
    assert await _read(client, task_id, None) == events
    again = await client.post("/tasks", json={"graph": "digest"}, headers=EVENT_STREAM)
    assert EVENT.findall(again.text)[-1][1] == "task.succeeded"


async def test_a_worker_ends_in_time(stack: Stack, client: httpx.AsyncClient) -> None:
    """It hands back what it has; the other one goes on."""
    assert await asyncio.to_thread(stack["worker-1"].stop) == 0
    answer = await client.post("/tasks", json={"graph": "digest"}, headers=EVENT_STREAM)
    assert EVENT.findall(answer.text)[-1][1] == "task.succeeded"
    stack["worker-1"].start()


async def test_nothing_can_be_written_by_pods_and_workers(stack: Stack, tmp_path: Path) -> None:
    """What the tests above show, they show of processes that can write to no folder at all."""
    if not can_mount():
        pytest.skip("a file system is made read-only by root on Linux alone")

    async def refused(container: Container) -> bool:
        words = ["nsenter", "--target", str(container.process.pid), "--mount", "touch", str(tmp_path / "x")]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True)
        return "Read-only file system" in done.stderr

    for name in (*PODS, *WORKERS):
        await wait_until(partial(refused, stack[name]))


async def _read(
    client: httpx.AsyncClient, task_id: str, after: str | None, body: bytearray | None = None
) -> list[tuple[str, str]]:
    """The ids and types of the events of one connection, to its end; the bytes go to `body` as they come."""
    body = bytearray() if body is None else body
    headers = EVENT_STREAM if after is None else {**EVENT_STREAM, "Last-Event-ID": after}
    async with client.stream("GET", f"/tasks/{task_id}/stream", headers=headers) as answer:
        async for chunk in answer.aiter_bytes():
            body += chunk
    return EVENT.findall(body.decode())


async def _status(client: httpx.AsyncClient, task_id: str, status: str) -> None:
    async def has() -> bool:
        return (await client.get(f"/tasks/{task_id}")).json()["status"] == status

    await wait_until(has)
