"""What the console is looked at with: pods and a worker as processes that can be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from uuid_utils import uuid7

from cli.main import DEFAULT_GRAPHS
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import now_ms, timestamp
from events.state import Submission
from events.tasks import TaskStore
from tests.support.graphs import SPECS
from tests.support.server import free_port
from tests.support.system import command
from tests.support.waiting import wait_until

Ready = Callable[[], Awaitable[bool]]


class Member:
    """A place in the system: a pod or a worker, which can be ended and started again there."""

    def __init__(self, words: list[str], environment: dict[str, str], ready: Ready) -> None:
        self._words = words
        self._environment = environment
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, unless it runs, and wait until it is ready."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._spawn()
        await wait_until(self._is_ready)

    async def kill(self) -> None:
        """End it as a crash does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it as an operator does: it drains first."""
        await self._end(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and go on at once."""
        if self._process is not None:
            self._process.send_signal(number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._words, env=self._environment)

    async def _is_ready(self) -> bool:
        status = self._process.poll() if self._process is not None else None
        assert status is None, f"{' '.join(self._words)} ended with status {status}"
        return await self._ready()

    async def _end(self, number: signal.Signals) -> None:
        self.signal(number)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, 20)


@dataclass
class ConsoleSystem:
    """Two pods and a worker of one prefix, in an event loop of which the clients are.

    Attributes:
        url: the first pod, whose pages are looked at.
        other_url: the second pod.
        client: asks the first pod.
        tasks: the store, for tests that write logs themselves.
    """

    url: str
    other_url: str
    pod: Member
    other: Member
    worker: Member
    client: httpx.AsyncClient
    tasks: TaskStore

    @property
    def log(self) -> EventLog:
        """The logs."""
        return self.tasks.log

    async def mend(self) -> None:
        """Start what doesn't run."""
        await asyncio.gather(self.pod.start(), self.other.start(), self.worker.start())

    async def submit(self, graph: str, **given: Any) -> str:
        """Submit a task with this input; gives its id."""
        answer = await self.client.post("/tasks", json={"graph": graph, "input": given})
        assert answer.status_code == 202, answer.text
        return answer.json()["task_id"]

    async def task(self, task_id: str) -> dict[str, Any]:
        """The task as it is now."""
        return (await self.client.get(f"/tasks/{task_id}")).json()

    async def until(self, task_id: str, *status: str) -> None:
        """Wait until the task has one of those states."""

        async def reached() -> bool:
            return (await self.task(task_id))["status"] in status

        await wait_until(reached)

    async def bare_task(self) -> str:
        """A task that no worker takes, whose log holds `task.submitted`: the test writes the rest itself."""
        task_id = str(uuid7())
        submission = Submission(task_id, "counting", "default", {}, task_id, {}, timestamp(now_ms()))
        await self.tasks.submit(submission)
        await self.tasks.log.redis.zadd(self.log.keys.deadlines, {task_id: now_ms() + 3_600_000})
        return task_id


@contextlib.asynccontextmanager
async def console_system(
    redis_port: int, graphs: Sequence[str] = (*SPECS, *DEFAULT_GRAPHS)
) -> AsyncGenerator[ConsoleSystem]:
    """A system of processes, ready, on a key prefix of its own."""
    environment = _environment(redis_port, graphs)
    url, other_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    redis = connect(environment["TASKREEL_REDIS_URL"])
    tasks = TaskStore(EventLog(redis, Keys(environment["TASKREEL_KEY_PREFIX"])), retention_seconds=600)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        pod, other = _pod(url, environment, client), _pod(other_url, environment, client)
        worker = Member(command("worker"), environment, lambda: _serves(client, len(graphs)))
        system = ConsoleSystem(url, other_url, pod, other, worker, client, tasks)
        try:
            await system.mend()
            yield system
        finally:
            await asyncio.gather(system.pod.kill(), system.other.kill(), system.worker.kill())
            await redis.aclose()


def _pod(url: str, environment: dict[str, str], client: httpx.AsyncClient) -> Member:
    words = command("api", "--port", url.rpartition(":")[2])
    return Member(words, environment, lambda: _answers(client, url))


def _environment(redis_port: int, graphs: Sequence[str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    return kept | {
        "TASKREEL_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "TASKREEL_KEY_PREFIX": f"console-{uuid4().hex[:8]}",
        "TASKREEL_GRAPHS": ",".join(graphs),
        "TASKREEL_LEASE_SECONDS": "2",
        "TASKREEL_DRAIN_SECONDS": "0",
        "TASKREEL_POD_DRAIN_SECONDS": "0",
    }


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await client.get(f"{url}/readyz")).status_code == 200
    return False


async def _serves(client: httpx.AsyncClient, graphs: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = await client.get("/graphs")
        return answer.status_code == 200 and answer.text.count('"name"') >= graphs
    return False
