"""Open streams: no more than the limit, over all pods, and places come back when their pod dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import httpx
import pytest
from redis.asyncio import Redis

from api.auth.principal import Principal
from api.places import StreamPlaces
from api.pod import Pod
from api.problems import Problem
from events.apikeys import Role
from events.append import Appender
from events.background import stop
from events.connect import connect
from events.keys import Keys
from events.quotas import Owner, StreamQuota
from events.settings import Settings
from events.tasks import TaskStore
from tests.limits.conftest import Bearer, Pods
from tests.support.http import code, submit
from tests.support.logs import SUCCEEDED, attempt
from tests.support.pods import RunningPod
from tests.support.proxy import gate
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM, Wire, assert_passing, listen

ADA = Owner("default", "ada")
PRINCIPAL = Principal(*ADA, Role.OPS, "a-key", None)
AGES = 3600.0
"""Seconds that no test takes."""


async def open_streams(redis: Redis, keys: Keys, owner: Owner = ADA) -> int:
    """How many are counted for an owner."""
    return int(await redis.zcard(keys.streams(*owner)))


@contextlib.asynccontextmanager
async def running(places: StreamPlaces) -> AsyncGenerator[StreamPlaces]:
    """A pod's places while the pod lives; at the end it dies, and gives nothing back."""
    task = asyncio.create_task(places.run())
    try:
        yield places
    finally:
        await stop([task])


async def test_a_stream_too_many_is_refused_in_both_manners(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """At every pod, until one of the streams closes."""
    me = await bearer()
    async with pods(max_streams_per_principal=2) as (pod, other):
        task_id = (await submit(pod, headers=me)).json()["task_id"]
        stream = f"/tasks/{task_id}/stream"
        async with listen(pod, task_id, headers=me) as first:
            await first.until(b"id: 0-1\n")
            async with listen(other, task_id, headers=me) as second:
                await second.until(b"id: 0-1\n")
                for at in (pod, other):
                    plain = await at.client.get(stream, headers=me)
                    assert code(plain) == (429, "too_many_streams")
                    assert int(plain.headers["retry-after"]) > 0
                    assert "2 streams" in plain.json()["detail"]
                    eager = await at.client.get(stream, headers={**me, **EVENT_STREAM})
                    assert eager.status_code == 200
                    assert_passing(eager.content)
            await wait_until(lambda: _is(1, redis, keys))
            async with listen(pod, task_id, headers=me) as third:
                assert await third.until(b"id: 0-1\n")
        await wait_until(lambda: _is(0, redis, keys))


async def test_hundreds_at_once_get_no_more_than_the_limit(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """Two hundred requests at two pods; twenty streams, though busy pods may have no connection for some."""
    me = await bearer()
    async with pods(max_streams_per_principal=20) as both, contextlib.AsyncExitStack() as stack:
        task_id = (await submit(both[0], headers=me)).json()["task_id"]

        async def open_one(pod: RunningPod) -> httpx.Response:
            request = pod.client.stream("GET", f"/tasks/{task_id}/stream", headers=me)
            return await stack.enter_async_context(request)

        answers = await asyncio.gather(*[open_one(both[n % 2]) for n in range(200)])
        found = [answer.status_code for answer in answers]
        assert set(found) <= {200, 429, 503}
        assert 20 - found.count(503) <= found.count(200) <= 20
        assert await open_streams(redis, keys) <= 20
        for answer in answers:
            await answer.aclose()


async def test_principals_are_counted_apart(pods: Pods, bearer: Bearer) -> None:
    """Another subject, or one of that name in another tenant, is another; a new key of the same is not."""
    me, again = await bearer(), await bearer()
    others = [await bearer(name="bob"), await bearer("acme")]
    async with pods(max_streams_per_principal=1) as (pod, _), contextlib.AsyncExitStack() as stack:
        for each in (me, *others):
            task_id = (await submit(pod, headers=each)).json()["task_id"]
            wire = await stack.enter_async_context(listen(pod, task_id, headers=each))
            await wire.until(b"id: 0-1\n")
        mine = (await submit(pod, headers=again)).headers["location"]
        refused = await pod.client.get(f"{mine}/stream", headers=again)
        assert code(refused) == (429, "too_many_streams")


async def test_a_submit_whose_stream_has_no_place_makes_no_task(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """And a submit that is refused gives its stream's place back."""
    me = await bearer()
    eager = {**me, **EVENT_STREAM}
    async with pods(max_streams_per_principal=1) as (pod, _):
        assert code(await submit(pod, headers=eager, graph="nobody's")) == (404, "graph_not_found")
        await wait_until(lambda: _is(0, redis, keys))
        body = {"graph": "echo"}
        async with pod.client.stream("POST", "/tasks", json=body, headers=eager) as response:
            wire = Wire(response)
            await wire.until(b"id: 0-1\n")
            assert await _is(1, redis, keys)
            assert_passing((await submit(pod, headers=eager)).content)
            assert len((await pod.client.get("/tasks", headers=me)).json()["tasks"]) == 1
            await response.aclose()
        await wait_until(lambda: _is(0, redis, keys))


async def test_what_is_no_open_stream_takes_no_place(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys, tasks: TaskStore, appender: Appender
) -> None:
    """HEAD, an unknown task, a client that has seen all there is, and a stream that has ended."""
    me = await bearer()
    async with pods(max_streams_per_principal=1) as (pod, _):
        task_id = (await submit(pod, headers=me)).json()["task_id"]
        stream = f"/tasks/{task_id}/stream"
        async with listen(pod, task_id, headers=me) as wire:
            await wire.until(b"id: 0-1\n")
            assert (await pod.client.head(stream, headers=me)).status_code == 200
            last = await attempt(tasks, appender, task_id, [SUCCEEDED])
            await wire.rest()
        await wait_until(lambda: _is(0, redis, keys))
        seen = {**me, "Last-Event-ID": str(last)}
        assert (await pod.client.get(stream, headers=seen)).status_code == 204
        unknown = "/tasks/01938e5e-0000-7000-8000-000000000000/stream"
        assert (await pod.client.get(unknown, headers=me)).status_code == 404
        assert await _is(0, redis, keys)


async def test_a_pod_that_goes_gives_all_places_back(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """At once, and not when they would be over by themselves."""
    me = await bearer()
    async with contextlib.AsyncExitStack() as stack:
        async with pods(max_streams_per_principal=10) as both:
            task_id = (await submit(both[0], headers=me)).json()["task_id"]
            for pod in both:
                wire = await stack.enter_async_context(listen(pod, task_id, headers=me))
                await wire.until(b"id: 0-1\n")
            assert await _is(2, redis, keys)
        assert await _is(0, redis, keys)


async def test_the_last_places_are_given_back_as_a_pod_closes(
    settings: Settings, redis: Redis, keys: Keys
) -> None:
    """Those that were left when nobody tells Redis any more, or not yet."""
    pod = Pod(settings)
    async with pod.streams.reserve(PRINCIPAL):
        assert await _is(1, redis, keys)
    await pod.close()
    assert await _is(0, redis, keys)


async def test_nobody_asked_nobody_counted(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """Without authentication there is nothing in Redis."""
    task_id = (await submit(pod)).json()["task_id"]
    async with listen(pod, task_id) as wire:
        await wire.until(b"id: 0-1\n")
        assert not await redis.keys(f"{keys.prefix}:*:limits:*")


async def test_places_come_back_after_a_pod_has_died(redis: Redis, keys: Keys) -> None:
    """Nobody holds them on any more; until then they are taken."""
    quota = StreamQuota(redis, keys, life_seconds=0.5)
    async with running(StreamPlaces(quota, limit=1, hold_seconds=0.05)) as dying:
        async with dying.reserve(PRINCIPAL) as place:
            assert place is not None
            place.used = True
            dying.hold(place)
        begun = await _over(redis, keys, place.name)
        await wait_until(lambda: _held_beyond(redis, keys, place.name, begun + 500))
        other = StreamPlaces(quota, limit=1)
        with pytest.raises(Problem):
            async with other.reserve(PRINCIPAL):
                pass

    async def free() -> bool:
        return await quota.take(ADA, "another", 1)

    await wait_until(free)


async def test_places_that_redis_lost_are_held_again(redis: Redis, keys: Keys) -> None:
    """A Redis that restarted empty knows them again soon."""
    quota = StreamQuota(redis, keys, life_seconds=AGES)
    async with running(StreamPlaces(quota, limit=1, hold_seconds=0.05)) as places:
        async with places.reserve(PRINCIPAL) as place:
            assert place is not None
            place.used = True
            places.hold(place)
        await redis.delete(keys.streams(*ADA))
        await redis.script_flush()
        await wait_until(lambda: _is(1, redis, keys))


async def test_places_that_were_left_while_redis_was_away_come_back(
    settings: Settings, redis_port: int, redis: Redis, keys: Keys
) -> None:
    """They are given back as soon as it can be told."""
    async with gate(redis_port) as door:
        client = connect(settings.model_copy(update={"redis_url": door.url}).redis_url)
        quota = StreamQuota(client, keys, life_seconds=AGES)
        async with running(StreamPlaces(quota, limit=1, hold_seconds=0.05)) as places:
            async with places.reserve(PRINCIPAL):
                assert await _is(1, redis, keys)
                door.close()
            await wait_until(lambda: door.refused > 0)
            assert await _is(1, redis, keys)
            door.shut = False
            await wait_until(lambda: _is(0, redis, keys))
        await client.aclose()


async def _is(count: int, redis: Redis, keys: Keys) -> bool:
    return await open_streams(redis, keys) == count


async def _over(redis: Redis, keys: Keys, name: str) -> float:
    score = await redis.zscore(keys.streams(*ADA), name)
    assert score is not None
    return float(score)


async def _held_beyond(redis: Redis, keys: Keys, name: str, time_ms: float) -> bool:
    return await _over(redis, keys, name) > time_ms
