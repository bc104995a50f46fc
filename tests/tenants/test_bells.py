"""Tasks of one id in two tenants, on one pod: each stream has its own task's events and no other's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from uuid_utils import uuid7

from events.model import Event, EventType
from events.tenancy import qualify
from tests.support.attempts import open_attempt
from tests.support.clients import Client, crowd, dial
from tests.support.logs import SUCCEEDED, entries, frames
from tests.support.waiting import wait_until
from tests.support.wire import after_retry
from tests.tenants.world import World


async def follow(world: World, caller: str, task_id: str, after: str = "") -> Client:
    """Open somebody's stream of a task; gives it once its head is there."""
    headers = [*world.headers[caller], ("Host", "pod"), *([("Last-Event-ID", after)] if after else [])]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    client = await dial(world.pod.url, f"GET /tasks/{task_id}/stream HTTP/1.1\r\n{head}\r\n".encode())
    await client.headed.wait()
    return client


async def talk(world: World, tenant: str, task_id: str, words: Sequence[str]) -> None:
    """Run a task to its end, saying that, with pauses in which others can say something."""
    log, name = world.tasks.log, qualify(tenant, task_id)
    writer = await open_attempt(log, world.appender, name)
    for number, word in enumerate(words):
        await writer.append(Event(EventType.PROGRESS, {"message": f"{tenant} {word} {number}"}))
        await writer.flush()
        await asyncio.sleep(0)
    await writer.append(SUCCEEDED)
    await writer.flush()
    await world.tasks.settle(name)


async def test_tasks_of_one_id_are_followed_apart(world: World) -> None:
    """While both run at once, every client gets its own tenant's log, byte for byte."""
    tenants = {"ops": "acme", "stranger": "globex", "default": "default"}
    shared = str(uuid7())
    for tenant in tenants.values():
        await world.make("queued", tenant=tenant, name=shared)
    async with crowd() as clients:
        for caller in list(tenants) * 3:
            clients.append(await follow(world, caller, shared))
        await asyncio.gather(*(talk(world, tenant, shared, ["x"] * 50) for tenant in tenants.values()))
        for client, tenant in zip(clients, list(tenants.values()) * 3, strict=True):
            await client.over.wait()
            expected = await entries(world.tasks.log, qualify(tenant, shared))
            assert len(expected) == 53
            assert after_retry(bytes(client.body)) == frames(expected)


async def test_another_tenants_cursor_is_a_place_in_ones_own_log(world: World) -> None:
    """The id of an event of somebody else's task tells where to go on in one's own, and no more."""
    shared = str(uuid7())
    for tenant in ("acme", "globex"):
        await world.make("queued", tenant=tenant, name=shared)
        await talk(world, tenant, shared, ["x"] * 5)
    theirs = await entries(world.tasks.log, qualify("acme", shared))
    mine = await entries(world.tasks.log, qualify("globex", shared))
    async with crowd() as clients:
        clients.append(await follow(world, "stranger", shared, after=str(theirs[3].id)))
        await clients[0].over.wait()
        assert after_retry(bytes(clients[0].body)) == frames(mine[4:])
        assert b"acme" not in clients[0].body


async def test_a_client_that_is_refused_has_no_bell(world: World) -> None:
    """For a stream that another tenant was refused, the pod listens to nothing; bells name their tenant."""
    redis, keys = world.tasks.log.redis, world.tasks.log.keys
    task_id = await world.make("running")
    refused = await follow(world, "stranger", task_id)
    assert refused.status == 404
    heard: Any = await redis.pubsub_channels(f"{keys.prefix}:*{task_id}*")
    assert heard == []
    async with crowd() as clients:
        clients.append(await follow(world, "owner", task_id))
        assert clients[0].status == 200

        async def listens() -> bool:
            found: Any = await redis.pubsub_channels(f"{keys.prefix}:*{task_id}*")
            return found == [f"{keys.prefix}:acme:bell:{task_id}".encode()]

        await wait_until(listens)
    refused.leave()


async def test_a_bell_of_a_name_alike_is_another_bell(world: World) -> None:
    """What rings for a task of one tenant has no other tenant's log read."""
    shared = str(uuid7())
    for tenant in ("acme", "globex"):
        await world.make("running", tenant=tenant, name=shared)
    redis, keys = world.tasks.log.redis, world.tasks.log.keys
    async with crowd() as clients:
        clients.append(await follow(world, "ops", shared))
        await wait_until(lambda: clients[0].last_id == "1-4")
        for name in (f"globex/{shared}", shared):
            await redis.publish(keys.bell(name), "9-9")
        await talk(world, "globex", shared, ["secret"])
        writer = await open_attempt(world.tasks.log, world.appender, f"acme/{shared}")
        await writer.append(SUCCEEDED)
        await writer.flush()
        await world.tasks.settle(f"acme/{shared}")
        await clients[0].over.wait()
        expected = await entries(world.tasks.log, f"acme/{shared}")
        assert after_retry(bytes(clients[0].body)) == frames(expected)
