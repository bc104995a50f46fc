"""A pod as a process of its own, as it's deployed: uvloop, and nothing of the test in its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx

from events.settings import Settings
from tests.support.server import free_port
from tests.support.system import command
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class PodProcess:
    """A pod that listens, and its process id."""

    url: str
    pid: int


@contextlib.asynccontextmanager
async def pod_process(settings: Settings, errors: Path | None = None) -> AsyncGenerator[PodProcess]:
    """A pod that is ready. Its streams get no heartbeats, so that bytes can be compared.

    Args:
        settings: of the system it's in.
        errors: where its stderr goes, if it isn't to be the test's.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "TASKREEL_REDIS_URL": settings.redis_url,
        "TASKREEL_KEY_PREFIX": settings.key_prefix,
        "TASKREEL_HEARTBEAT_SECONDS": "600",
        "TASKREEL_POD_DRAIN_SECONDS": "0",
        **({} if settings.queue_url is None else {"TASKREEL_QUEUE_URL": settings.queue_url}),
    }
    with contextlib.nullcontext() if errors is None else errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command("api", "--port", str(port)), env=environment, stderr=stderr
        )
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            await wait_until(lambda: _ready(client, url))
        yield PodProcess(url, process.pid)
    finally:
        process.terminate()
        assert await process.wait() == 0


async def _ready(client: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await client.get(f"{url}/readyz")).status_code == 200
    return False
