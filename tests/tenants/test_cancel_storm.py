"""10,000 requests, many of them cancelled somewhere: no tenant ever gets what is another's.

The class of CVE-2023-28858: a request is cancelled between a command to Redis and its reply, its connection
goes back to the pool, and the next one to use it gets the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import orjson
import pytest

from events.background import stop
from events.model import Event, EventType
from events.settings import Settings
from events.tenancy import qualify
from tests.support.logs import SUCCEEDED, attempt
from tests.support.pods import RunningPod, running_pod
from tests.support.waiting import wait_until
from tests.tenants.slow_redis import slow_redis
from tests.tenants.storm import (
    ASIDE,
    CANARY,
    Ask,
    Tally,
    cancel_handlers,
    client,
    connected,
    have,
)
from tests.tenants.world import QUESTION, World

REQUESTS = 10_000
CLIENTS = 50
TENANTS = {"acme": "ops", "globex": "stranger", "acm": "nearby", "default": "default"}
"""Tenants, and who asks for each of them."""

LIMITS = ("submits_per_minute", "max_unfinished", "max_streams_per_principal", "max_queued")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Without the limits that a storm would run into."""
    lifted = {name: 0 for name in LIMITS[:3] if name in Settings.model_fields}
    return settings.model_copy(update={**lifted, "max_queued": 100_000})


@pytest.fixture
async def pod(settings: Settings, redis_port: int) -> AsyncGenerator[RunningPod]:
    """A pod to which Redis's replies come late."""
    async with (
        slow_redis(redis_port) as url,
        running_pod(settings.model_copy(update={"redis_url": url})) as it,
    ):
        yield it


def canary(tenant: str) -> str:
    """Something of a tenant's that is nobody else's."""
    return f"canary-{tenant}-{uuid4().hex}"


def request(
    world: World, tenant: str, method: str, path: str, *more: str, body: bytes = b"", until: bytes = b""
) -> Ask:
    """A request as one tenant; all of them bear the same id, so that answers can be told to be alike."""
    head = [f"{method} {path} HTTP/1.1", "Host: pod", "X-Request-ID: storm", *more]
    head += [f"{name}: {value}" for name, value in world.headers[TENANTS[tenant]]]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []
    return Ask(f"{tenant}: {method} {path}", "\r\n".join([*head, "", ""]).encode() + body, until=until)


async def plant(world: World, tenant: str, ending: Sequence[Event], count: int = 1) -> str:
    """A task of a tenant's with canaries in all that can hold one, and that end; gives its bare id."""
    bare = await world.make("queued", tenant=tenant, subject="x", text=canary(tenant))
    said = [Event(EventType.PROGRESS, {"message": canary(tenant), "current": at}) for at in range(count)]
    await attempt(world.tasks, world.appender, qualify(tenant, bare), [*said, *ending])
    return bare


async def asks(world: World, tenant: str, theirs: str) -> list[Ask]:
    """What a tenant asks for; `theirs` is another tenant's task."""
    ended = await plant(world, tenant, [SUCCEEDED], count=200)
    running = await plant(world, tenant, [])
    waiting = await plant(world, tenant, [Event(EventType.TASK_INTERRUPTED, QUESTION)])
    new = orjson.dumps({
        "graph": "echo", "input": {"text": canary(tenant)}, "metadata": {"of": canary(tenant)}
    })  # fmt: skip
    answer = b'{"value":1,"interrupt_id":"i2"}'
    follows = b'"current":0}}\n\n'

    def ask(method: str, path: str, *more: str, body: bytes = b"", until: bytes = b"") -> Ask:
        return request(world, tenant, method, path, *more, body=body, until=until)

    reads = [
        ask("GET", f"/tasks/{ended}"),
        ask("GET", f"/tasks/{ended}/events?limit=50"),
        *[ask("GET", f"/tasks/{ended}/events", "Accept: application/x-ndjson")] * 3,
        ask("GET", f"/tasks/{ended}/events?attempts=final&types=progress&limit=7"),
        ask("GET", f"/tasks/{ended}/stream"),
        ask("GET", f"/tasks/{ended}/stream", "Last-Event-ID: 1-150"),
        ask("GET", f"/tasks/{running}/stream", until=follows),
        ask("GET", "/tasks?status=waiting"),
        ask("GET", "/graphs/echo"),
    ]
    return [
        *reads,
        ask("GET", f"/tasks/{theirs}"),
        ask("GET", f"/tasks/{theirs}/stream"),
        ask("POST", f"/tasks/{theirs}/cancel"),
        ask("POST", f"/tasks/{ended}/cancel"),
        ask("POST", f"/tasks/{waiting}/resume", body=answer),
        ask("POST", "/tasks", body=new),
        ask("POST", "/tasks", "Accept: text/event-stream", body=new, until=b"}}}\n\n"),
    ]


async def learned(world: World, ask: Ask) -> Ask:
    """The same, with the answer it has while nobody else asks for anything."""
    async with connected(world.pod.url) as line:
        line.writer.write(ask.request)
        status, body = await line.answer(ask)
    assert status < 500, body
    varies = ask.request.startswith(b"POST /tasks ")
    return replace(ask, status=status, body=None if varies else ASIDE.sub(b"", body))


async def marks(world: World, tenant: str) -> set[str]:
    """Whose canaries there are in the metadata and the logs of all that a tenant has submitted."""
    log, found = world.tasks.log, b""
    for name in await log.redis.zrange(log.keys.index(tenant), 0, -1):
        record, entries, _ = await world.kept(name.decode())
        found += repr((record, entries)).encode()
    return {mark.decode() for mark in CANARY.findall(found)}


async def answers(world: World) -> dict[str, list[Ask]]:
    """What each tenant asks for, its neighbour's task among it, and what it's answered in a calm."""
    mine = {tenant: await plant(world, tenant, [SUCCEEDED]) for tenant in TENANTS}
    neighbour = dict(zip(TENANTS, [*TENANTS][1:] + [*TENANTS][:1], strict=True))
    return {
        tenant: [await learned(world, ask) for ask in await asks(world, tenant, mine[neighbour[tenant]])]
        for tenant in TENANTS
    }


async def storm(world: World, wanted: Mapping[str, Sequence[Ask]]) -> Tally:
    """All the requests, while handlers are cancelled."""
    tally, share = Tally(), REQUESTS // CLIENTS
    cancelling = asyncio.create_task(cancel_handlers(tally))
    await asyncio.gather(*(client(world.pod.url, wanted, share, tally) for _ in range(CLIENTS)))
    await stop([cancelling])
    return tally


async def calm(world: World, wanted: Mapping[str, Sequence[Ask]]) -> Tally:
    """Everything once more, one after the other."""
    tally = Tally()
    for tenant, of in wanted.items():
        for ask in of:
            async with connected(world.pod.url) as line:
                await have(line, ask, tally)
                tally.sees(tenant, bytes(line.received))
    return tally


@pytest.mark.timeout(900)
async def test_no_answer_is_another_tenants(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No canary of a tenant's reaches another, and each request that was left alone gets the right answer."""
    caplog.set_level("CRITICAL", "uvicorn.error")  # it tells of each handler that was cancelled
    wanted = await answers(world)
    tally = await storm(world, wanted)
    assert tally.wrong[:5] == [], f"and {len(tally.wrong)} in all"
    assert tally.broken <= tally.cancelled
    assert tally.fates.total() >= REQUESTS
    assert min(tally.fates.values()) > REQUESTS // 50, tally.fates
    assert tally.cancelled > REQUESTS // 50
    after = await calm(world, wanted)
    assert (after.wrong, after.broken) == ([], 0)
    for tenant in TENANTS:
        assert await marks(world, tenant) == {tenant}
    await wait_until(lambda: not len(world.pod.pod.streams))
