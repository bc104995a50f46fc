"""What carries over from one tenant's requests to another's: no cursor, key, thread, tag or list."""

from __future__ import annotations

from typing import Any

import pytest
from uuid_utils import uuid7

from tests.support.http import code
from tests.tenants.world import World


async def listed(world: World, caller: str, **params: Any) -> tuple[list[str], str | None]:
    """The ids on a page of somebody's list, and the next page's cursor."""
    answer = await world.ask(caller, "GET", "/tasks", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [task["task_id"] for task in body["tasks"]], body["next"]


async def submitted(world: World, caller: str, key: str | None = None, **body: Any) -> Any:
    """The answer to somebody's submit."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return await world.ask(caller, "POST", "/tasks", headers, json={"graph": "echo", **body})


@pytest.mark.parametrize("params", [{}, {"status": "succeeded"}, {"graph": "echo"}, {"limit": 1}])
async def test_a_list_has_the_tasks_that_the_caller_may_see(world: World, params: dict[str, Any]) -> None:
    """A tenant's for ops and read, its own for submit; also where the list is read by a status or a graph."""
    ada, bob = await world.make("ended"), await world.make("ended", subject="bob")
    otto = await world.make("ended", tenant="globex", subject="otto")
    mine = await world.make("ended", tenant="globex", subject="ada")
    due = {
        "owner": [ada],
        "colleague": [bob],
        "reader": [bob, ada],
        "ops": [bob, ada],
        "stranger": [mine, otto],
        "namesake": [mine],
        "nearby": [],
        "default": [],
    }
    for caller, tasks in due.items():
        found, cursor = await listed(world, caller, **params)
        while cursor is not None:
            more, cursor = await listed(world, caller, **params, cursor=cursor)
            found += more
        assert found == tasks, caller


async def test_a_cursor_of_another_tenants_list_finds_ones_own_tasks_alone(world: World) -> None:
    """A cursor is a place in time, and says nothing of whose list it came from."""
    first = await world.make("ended", tenant="globex", subject="otto")
    theirs = [await world.make("ended") for _ in range(3)]
    last = await world.make("ended", tenant="globex", subject="otto")
    _, cursor = await listed(world, "ops", limit=1)
    assert cursor is not None
    assert await listed(world, "stranger", cursor=cursor) == ([first], None)
    _, cursor = await listed(world, "stranger", limit=1)
    assert cursor is not None
    found, _ = await listed(world, "ops", cursor=cursor)
    assert found == theirs[::-1]
    assert last not in found


async def test_an_idempotency_key_is_its_callers_own(world: World) -> None:
    """The same key with the same body makes a task for each caller, and is reused by none but itself."""
    made: dict[str, str] = {}
    for caller in ("owner", "colleague", "ops", "stranger", "namesake", "default"):
        answer = await submitted(world, caller, key="k1")
        assert answer.status_code == 202
        assert "idempotent-replayed" not in answer.headers, caller
        made[caller] = answer.json()["task_id"]
    assert len(set(made.values())) == len(made)
    for caller, task_id in made.items():
        again = await submitted(world, caller, key="k1")
        assert (again.json()["task_id"], again.headers["idempotent-replayed"]) == (task_id, "true"), caller
    other = await submitted(world, "owner", key="k1", input={"count": 1})
    assert code(other) == (422, "key_reused")
    fresh = await submitted(world, "stranger", key="k2", input={"count": 1})
    assert fresh.status_code == 202


async def test_a_thread_is_busy_in_its_own_tenant_alone(world: World) -> None:
    """The same thread's name in another tenant is another thread, also if it's spelled with a tenant."""
    for caller in ("ops", "stranger", "default"):
        assert (await submitted(world, caller, thread_id="t")).status_code == 202, caller
    busy = await submitted(world, "ops", thread_id="t")
    assert code(busy) == (409, "thread_busy")
    for name in ("acme/t", "globex/t", "default/t"):
        assert (await submitted(world, "default", thread_id=name)).status_code == 202, name


async def test_an_entity_tag_says_nothing_of_another_tenants_log(world: World) -> None:
    """Two tenants' tasks of one id, with logs alike, have tags apart: neither gets a 304 for the other's."""
    shared = str(uuid7())
    for tenant in ("acme", "globex"):
        await world.make("ended", tenant=tenant, subject="ada", name=shared)
    path = f"/tasks/{shared}/events"
    tags = {caller: (await world.ask(caller, "GET", path)).headers["etag"] for caller in ("ops", "stranger")}
    assert tags["ops"] != tags["stranger"]
    for caller, other in (("ops", "stranger"), ("stranger", "ops")):
        assert (await world.ask(caller, "GET", path, {"If-None-Match": tags[caller]})).status_code == 304
        assert (await world.ask(caller, "GET", path, {"If-None-Match": tags[other]})).status_code == 200
    theirs = await world.make("ended")
    refused = await world.ask("stranger", "GET", f"/tasks/{theirs}/events", {"If-None-Match": tags["ops"]})
    assert code(refused) == (404, "task_not_found")
