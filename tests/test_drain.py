"""How a pod goes away, as a process that gets signals: readiness first, then its streams, then itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from events.graphs import GraphDirectory
from events.log import EventLog
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.http import ECHO
from tests.support.logs import entries, frames, ids, plant, seal
from tests.support.pods import running_pod
from tests.support.server import free_port
from tests.support.system import command
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM, Wire, after_retry, assert_farewell

CANCELLING = {"on_disconnect": "cancel"}
FAR = 600.0
"""Seconds of drain that no test waits for."""


@dataclass(frozen=True)
class PodProcess:
    """A pod in a process of its own."""

    process: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    log: Path

    async def ready(self) -> bool:
        """Whether it is ready; it must not have ended."""
        assert self.process.poll() is None, self.log.read_text()
        return await self.answers(200)

    async def answers(self, status: int) -> bool:
        """Whether /readyz has this status now."""
        try:
            return (await self.client.get("/readyz")).status_code == status
        except httpx.TransportError:
            return False

    @contextlib.asynccontextmanager
    async def listen(self, task_id: str, params: Mapping[str, str] | None = None) -> AsyncGenerator[Wire]:
        """Open a task's stream, and wait until the first entry is there."""
        async with self.client.stream("GET", f"/tasks/{task_id}/stream", params=params) as response:
            wire = Wire(response)
            await wire.until(b"id: 0-1\n")
            yield wire

    async def drain(self) -> None:
        """Send SIGTERM, and wait until the pod isn't ready any more."""
        self.process.send_signal(signal.SIGTERM)
        await wait_until(lambda: self.answers(503))

    async def ended(self) -> tuple[int, str]:
        """Wait until it has ended; its exit status, and what it said."""
        await wait_until(lambda: self.process.poll() is not None)
        return self.process.returncode, self.log.read_text()


def _start(port: int, environment: Mapping[str, str], said: Path) -> subprocess.Popen[bytes]:
    with said.open("wb") as stderr:
        return subprocess.Popen(command("api", "--port", str(port)), env=environment, stderr=stderr)


@contextlib.asynccontextmanager
async def pod_process(settings: Settings, folder: Path, drain_seconds: float) -> AsyncGenerator[PodProcess]:
    """A pod that is ready; it's killed at the end if it is still there."""
    port, said = free_port(), folder / "pod.log"
    environment = {
        **os.environ,
        "TASKREEL_REDIS_URL": settings.redis_url,
        "TASKREEL_KEY_PREFIX": settings.key_prefix,
        "TASKREEL_POD_DRAIN_SECONDS": str(drain_seconds),
        "TASKREEL_ACCESS_LOG": "false",
    }
    process = _start(port, environment, said)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        pod = PodProcess(process, client, said)
        try:
            await wait_until(pod.ready)
            yield pod
        finally:
            process.kill()
            process.wait()


async def test_readiness_fails_first(settings: Settings, log: EventLog, task_id: str, tmp_path: Path) -> None:
    """Until a load balancer has noticed, the pod serves what it has and what comes, but no new stream."""
    await GraphDirectory(log.redis, log.keys).announce([ECHO])
    async with pod_process(settings, tmp_path, FAR) as pod, pod.listen(task_id) as wire:
        await pod.drain()
        alive = await pod.client.get("/healthz")
        assert (alive.status_code, alive.headers["connection"]) == (200, "close")
        assert (await pod.client.post("/tasks", json={"graph": "echo"})).status_code == 202
        refused = await pod.client.get(f"/tasks/{task_id}/stream", headers=EVENT_STREAM)
        assert refused.status_code == 200
        assert_farewell(refused.content)
        await plant(log, task_id, ids("1-2", "1-3"))
        body = await wire.until(b"id: 1-3\n")
        assert after_retry(body).startswith(frames(await entries(log, task_id))[: -len(b"\n\n")])


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGINT]])
async def test_streams_end_with_the_time_to_come_back(
    settings: Settings, tasks: TaskStore, task_id: str, tmp_path: Path, numbers: list[int]
) -> None:
    """Then the process ends by itself and has nothing to complain of. Two signals at once count as one."""
    async with pod_process(settings, tmp_path, 0.2) as pod:
        async with pod.listen(task_id) as wire:
            for number in numbers:
                pod.process.send_signal(number)
            body = await wire.rest()
        first = frames(await entries(tasks.log, task_id))
        before, _, farewell = body.partition(first)
        assert after_retry(before) == b""
        assert_farewell(farewell)
        assert await pod.ended() == (0, "")
    await seal(tasks, task_id, "1-2")
    async with running_pod(settings) as other:
        everything = first + after_retry(await other.raw(task_id, "0-1"))
    assert everything == frames(await entries(tasks.log, task_id))


async def test_a_second_signal_ends_it_at_once(settings: Settings, task_id: str, tmp_path: Path) -> None:
    """Its streams get their farewell even so."""
    async with pod_process(settings, tmp_path, FAR) as pod:
        async with pod.listen(task_id) as wire:
            await pod.drain()

            async def is_over() -> bool:
                pod.process.send_signal(signal.SIGTERM)
                return not await pod.answers(503)

            await wait_until(is_over)
            body = await wire.rest()
        assert_farewell(body[body.rindex(b"retry: ") :])
        assert await pod.ended() == (-signal.SIGTERM, "")


async def test_clients_that_do_not_read_do_not_hold_it_up(
    settings: Settings, tasks: TaskStore, task_id: str, tmp_path: Path
) -> None:
    """Their full sockets take no farewell; they are cut off, and no task is cancelled by that."""
    await plant(tasks.log, task_id, ids("1-2", "1-60000"))
    request = f"GET /tasks/{task_id}/stream?on_disconnect=cancel HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with pod_process(settings, tmp_path, 0) as pod:
        assert pod.client.base_url.port is not None
        with contextlib.ExitStack() as clients:
            for _ in range(5):
                client = clients.enter_context(
                    socket.create_connection(("127.0.0.1", pod.client.base_url.port))
                )
                client.sendall(request.encode())
                client.recv(1)
            pod.process.send_signal(signal.SIGTERM)
            assert await pod.ended() == (0, "")
    assert not (await tasks.get(task_id)).cancel_requested


async def test_a_client_that_leaves_a_draining_pod_cancels_nothing(
    settings: Settings, tasks: TaskStore, task_id: str
) -> None:
    """It may be the load balancer that has cut it off, because the pod isn't ready."""
    async with running_pod(settings) as pod:
        url = f"/tasks/{task_id}/stream"
        async with pod.client.stream("GET", url, params=CANCELLING) as response:
            await Wire(response).until(b"id: 0-1\n")
            pod.pod.streams.draining = True
        await wait_until(lambda: len(pod.pod.streams) == 0)
    assert not (await tasks.get(task_id)).cancel_requested


async def test_a_pod_that_is_killed_cancels_nothing(
    settings: Settings, tasks: TaskStore, task_id: str, tmp_path: Path
) -> None:
    """Whoever reads by it comes back to another pod, and the task is there."""
    async with pod_process(settings, tmp_path, 0) as pod:
        async with pod.listen(task_id, CANCELLING) as wire:
            pod.process.kill()
            with pytest.raises(httpx.TransportError):
                await wire.rest()
        await pod.ended()
    assert not (await tasks.get(task_id)).cancel_requested
