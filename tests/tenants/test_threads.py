"""Threads, and the states that graphs keep on them: each tenant's are its own, whatever they are called."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from events.settings import Settings
from tests.support.pods import running_worker
from tests.support.waiting import wait_until
from tests.tenants.world import World


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[None]:
    """A worker whose graph `counting` adds to a list on its thread at each run."""
    async with running_worker(settings, ["counting=tests.support.graphs:counting"]):
        yield


async def run(world: World, caller: str, thread: str, count: int) -> list[Any]:
    """Run a task on a thread to its end; gives what is on the list then."""
    body = {"graph": "counting", "input": {"count": count}, "thread_id": thread}
    made = await world.ask(caller, "POST", "/tasks", json=body)
    assert made.status_code == 202, made.text
    shown: dict[str, Any] = {}

    async def over() -> bool:
        shown.update((await world.ask(caller, "GET", made.headers["location"])).json())
        return shown["status"] == "succeeded"

    await wait_until(over)
    return shown["result"]["items"]


@pytest.mark.usefixtures("worker")
async def test_the_state_on_a_thread_is_its_tenants_own(world: World) -> None:
    """Tenants that use one name for a thread go on each with its own state alone."""
    assert await run(world, "ops", "t", 1) == [1]
    assert await run(world, "stranger", "t", 2) == [2]
    assert await run(world, "default", "t", 3) == [3]
    assert await run(world, "ops", "t", 4) == [1, 4]
    assert await run(world, "stranger", "t", 5) == [2, 5]
    assert await run(world, "default", "t", 6) == [3, 6]


@pytest.mark.usefixtures("worker")
async def test_the_state_on_a_thread_is_its_subjects_own(world: World) -> None:
    """Whatever their roles, and whatever a name looks like; also on the own thread of another's task."""
    assert await run(world, "owner", "t", 1) == [1]
    assert await run(world, "colleague", "t", 2) == [2]
    assert await run(world, "ops", "t", 3) == [3]
    assert await run(world, "colleague", "ada/t", 4) == [4]
    assert await run(world, "owner", "t", 5) == [1, 5]


@pytest.mark.usefixtures("worker")
async def test_no_name_of_a_thread_leads_into_another_tenant(world: World) -> None:
    """A thread that is called as another tenant's is inside the system is a thread of one's own."""
    assert await run(world, "ops", "t", 1) == [1]
    for name in ("acme/t", "default/acme/t", "../acme/t", "acme:t", "{acme}/t"):
        assert await run(world, "default", name, 2) == [2], name
        assert await run(world, "stranger", name, 3) == [3], name
        assert await run(world, "nearby", name, 3) == [3], name
    assert await run(world, "nearby", "e/t", 7) == [7]
    assert await run(world, "ops", "t", 4) == [1, 4]
    assert await run(world, "default", "acme/t", 5) == [2, 5]


@pytest.mark.usefixtures("worker")
async def test_a_task_id_of_another_tenant_is_no_way_to_its_state(world: World) -> None:
    """A thread that is called as another tenant's task, whose own thread bears its id, begins empty."""
    made = await world.ask("ops", "POST", "/tasks", json={"graph": "counting", "input": {"count": 1}})
    task_id = made.json()["task_id"]

    async def over() -> bool:
        return (await world.ask("ops", "GET", f"/tasks/{task_id}")).json()["status"] == "succeeded"

    await wait_until(over)
    for name in (task_id, f"acme/{task_id}"):
        assert await run(world, "stranger", name, 2) == [2]
        assert await run(world, "default", name, 2) == [2]
