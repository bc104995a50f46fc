"""The console before anything has been done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from uuid import uuid4

import httpx
import pytest_asyncio

from tests.support.browser import Tabs, axe
from tests.support.console import Member
from tests.support.server import free_port
from tests.support.system import command


@pytest_asyncio.fixture(loop_scope="session")
async def bare_pod(redis_port: int) -> AsyncGenerator[str]:
    """The URL of a pod that knows of no task and no graph."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = os.environ | {
        "TASKREEL_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "TASKREEL_KEY_PREFIX": f"bare-{uuid4().hex[:8]}",
    }

    async def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                return (await client.get(f"{url}/readyz")).status_code == 200
        return False

    pod = Member(command("api", "--port", url.rpartition(":")[2]), environment, answers)
    try:
        await pod.start()
        yield url
    finally:
        await pod.kill()


async def test_nothing_there_yet(tabs: Tabs, bare_pod: str) -> None:
    """Without tasks and graphs, the list and the submit page say what to do first."""
    tabs.allow("asked another host: " + bare_pod)
    page = await tabs.open(f"{bare_pod}/")
    await page.get_by_text("There is no task yet.").wait_for()
    await page.get_by_text("start one with taskreel worker").wait_for()
    assert await axe(page) == []
    await page.get_by_role("link", name="Submit one").click()
    await page.get_by_text("No worker has announced a graph yet").wait_for()
