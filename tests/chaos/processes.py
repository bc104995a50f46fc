"""Valkey, workers and pods as real processes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis as BlockingRedis
from redis.exceptions import RedisError

from cli.embedded import find_binary
from events.connect import connect
from events.keys import Keys
from events.settings import PREFIX
from tests.chaos.process import READY_SECONDS, Process, process
from tests.support.server import HERE, Place, free_port
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Server:
    """A Valkey, on the same port and folder after each restart."""

    process: Process
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it is, for TASKREEL_REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    async def restart(self) -> None:
        """Kill it if need be, start it again and wait until it answers."""
        self.process.restart()
        await self.ready()

    async def ready(self) -> None:
        """Wait until it answers."""
        await wait_until(self._answers, READY_SECONDS)

    def _answers(self) -> bool:
        self.process.check()
        with contextlib.suppress(RedisError), BlockingRedis(port=self.port, socket_timeout=5) as client:
            return bool(client.ping())
        return False


@contextlib.asynccontextmanager
async def valkey(folder: Path, port: int | None = None, *, aof: bool = False) -> AsyncGenerator[Server]:
    """A server that answers; with `aof`, it keeps an append-only file in the folder, synced every second."""
    port = port or free_port()
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes" if aof else "no",
        "appendfsync": "everysec",
        "loglevel": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with process("valkey", [str(find_binary()), *words], {}) as it:
        await (server := Server(it, port, folder)).ready()
        yield server


@contextlib.asynccontextmanager
async def workers(
    url: str, count: int, graphs: Sequence[str], place: Place = HERE, **settings: object
) -> AsyncGenerator[list[Process]]:
    """So many workers that serve those graphs (`NAME=module:attr`) and take tasks.

    Args:
        url: of the log's Redis.
        count: how many.
        graphs: what each serves.
        place: where they run.
        settings: more of them, such as `lease_seconds=3`.
    """
    more = environment(url, graphs=",".join(graphs), **settings)
    command = [sys.executable, "-m", "cli.main", "worker"]
    with contextlib.ExitStack() as stack:
        names = [f"worker {number}" for number in range(count)]
        found = [stack.enter_context(process(name, command, more, place.within)) for name in names]
        await workers_ready(url, found, str(settings.get("queue_url") or url))
        yield found


async def workers_ready(url: str, found: Sequence[Process], queue_url: str = "") -> None:
    """Wait until that many workers hear the bell of their queue, and have announced their graphs."""
    keys, client, queue = Keys("taskreel"), connect(url), connect(queue_url or url)

    async def ready() -> bool:
        for it in found:
            it.check()
        subscribers: list[Any] = await queue.pubsub_numsub(keys.queue_bell("default"))
        return subscribers[0][1] >= len(found) and bool(await client.exists(keys.graphs))

    try:
        await wait_until(ready, READY_SECONDS)
    finally:
        await queue.aclose()
        await client.aclose()


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, on the same port after each restart, and a client of it."""

    process: Process
    url: str
    client: httpx.AsyncClient

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        base = self.client.base_url
        return base.host, base.port or 0

    async def restart(self) -> None:
        """Kill it if need be, start it again and wait until it is ready."""
        self.process.restart()
        await self.ready()

    async def ready(self) -> None:
        """Wait until it is ready."""
        await wait_until(self._is_ready, READY_SECONDS)

    async def submit(self, graph: str, **body: Any) -> str:
        """POST a task; gives its id."""
        answer = await self.client.post("/tasks", json={"graph": graph, **body})
        answer.raise_for_status()
        return answer.json()["task_id"]

    async def _is_ready(self) -> bool:
        self.process.check()
        with contextlib.suppress(httpx.HTTPError):
            return (await self.client.get("/readyz")).status_code == 200
        return False


@contextlib.asynccontextmanager
async def pod(url: str, place: Place = HERE, key: str = "", **settings: object) -> AsyncGenerator[Pod]:
    """A pod that is ready.

    Args:
        url: of the log's Redis.
        place: where it runs.
        key: the API key to speak to it with, if it asks for one.
        settings: more of them, such as `auth="keys"`.
    """
    host, port = place.host, free_port()
    command = [sys.executable, "-m", "cli.main", "api", "--host", host, "--port", str(port)]
    base, headers = f"http://{host}:{port}", {"Authorization": f"Bearer {key}"} if key else {}
    with process(f"pod {host}:{port}", command, environment(url, **settings), place.within) as it:
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=20, trust_env=False) as client:
            await (found := Pod(it, base, client)).ready()
            yield found


def environment(url: str, **settings: object) -> dict[str, str]:
    """The variables of a process of ours, with the log there and those settings that aren't None."""
    given = {"redis_url": url, **settings}
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items() if value is not None}
