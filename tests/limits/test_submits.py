"""Submits a minute: no more than the limit within any minute, over all pods; answers tell what is left."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import httpx
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from events.apikeys import Role
from events.keys import Keys
from tests.limits.conftest import Bearer, Pods
from tests.support.http import code, submit
from tests.support.pods import RunningPod
from tests.support.wire import EVENT_STREAM, assert_passing

_RATE = re.compile(r'"submits";r=(\d+);t=(\d+)')


def rate(answer: httpx.Response) -> tuple[int, int]:
    """How many more submits an answer tells of, and in how many seconds there is one more."""
    found = _RATE.fullmatch(answer.headers["ratelimit"])
    assert found is not None, answer.headers["ratelimit"]
    return int(found[1]), int(found[2])


async def test_every_answer_tells_what_is_left(pods: Pods, bearer: Bearer) -> None:
    """Whatever comes of the request, for it is counted before anything is looked at."""
    me = await bearer()
    async with pods(submits_per_minute=5) as (pod, other):
        answers = [
            await submit(pod, headers=me),
            await submit(other, headers=me, graph="nobody's"),
            await submit(pod, headers=me, raw=b"{"),
            await submit(pod, headers={**me, "Content-Type": "text/plain"}),
        ]
    assert [answer.status_code for answer in answers] == [202, 404, 400, 415]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"submits";q=5;w=60'}
    assert [rate(answer)[0] for answer in answers] == [4, 3, 2, 1]
    assert all(1 <= rate(answer)[1] <= 60 for answer in answers)


async def test_too_many_submits_are_told_when_to_go_on(pods: Pods, bearer: Bearer) -> None:
    """429 at both pods, with the seconds until the first submit is a minute old; nothing is made."""
    me = await bearer()
    async with pods(submits_per_minute=2) as (pod, other):
        await submit(pod, headers=me)
        await submit(other, headers=me)
        for at in (pod, other):
            answer = await submit(at, headers=me)
            assert code(answer) == (429, "too_many_submits")
            assert rate(answer) == (0, int(answer.headers["retry-after"]))
            assert 1 <= rate(answer)[1] <= 60
            assert "2 times" in answer.json()["detail"]
        assert len((await pod.client.get("/tasks", headers=me)).json()["tasks"]) == 2


async def test_an_event_stream_s_client_is_told_to_come_back(pods: Pods, bearer: Bearer) -> None:
    """As by anything else that passes: 200, `retry:`, a comment, the end; and the same headers."""
    me = await bearer()
    async with pods(submits_per_minute=1) as (pod, _):
        await submit(pod, headers=me)
        answer = await submit(pod, headers={**me, **EVENT_STREAM})
        assert answer.status_code == 200
        assert_passing(answer.content)
        assert rate(answer)[0] == 0
        assert len((await pod.client.get("/tasks", headers=me)).json()["tasks"]) == 1


async def test_hundreds_at_once_get_no_more_than_the_limit(pods: Pods, bearer: Bearer) -> None:
    """Two hundred requests at two pods; forty count, though busy pods may have no connection for some."""
    me = await bearer()
    async with pods(submits_per_minute=40) as both:
        answers = await asyncio.gather(*[submit(both[n % 2], headers=me) for n in range(200)])
    assert {answer.status_code for answer in answers} <= {202, 429, 503}
    counted = [it for it in answers if "ratelimit" in it.headers and it.status_code != 429]
    unknown = [it for it in answers if "ratelimit" not in it.headers]
    assert 40 - len(unknown) <= len(counted) <= 40


async def test_principals_are_counted_apart(pods: Pods, bearer: Bearer) -> None:
    """Another subject, or one of that name in another tenant, is another; a new key of the same is not."""
    me, again = await bearer(), await bearer(role=Role.SUBMIT)
    others = [await bearer(name="bob"), await bearer("acme")]
    async with pods(submits_per_minute=1) as (pod, _):
        assert (await submit(pod, headers=me)).status_code == 202
        assert code(await submit(pod, headers=again)) == (429, "too_many_submits")
        for other in others:
            assert (await submit(pod, headers=other)).status_code == 202


async def test_a_replay_counts(pods: Pods, bearer: Bearer) -> None:
    """To find out that it is one costs what a submit costs; a refused one doesn't count."""
    me = await bearer()
    async with pods(submits_per_minute=2) as (pod, _):
        first, again = [await submit(pod, "key", headers=me) for _ in range(2)]
        assert again.headers["idempotent-replayed"] == "true"
        assert [rate(first)[0], rate(again)[0]] == [1, 0]
        refused = [rate(await submit(pod, "key", headers=me))[1] for _ in range(3)]
        assert refused == sorted(refused, reverse=True), "the wait gets no longer by asking"


async def test_who_may_not_submit_is_not_counted(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """A role that is too small, and no credential at all."""
    reader = await bearer(role=Role.READ)
    async with pods(submits_per_minute=1) as (pod, _):
        assert code(await submit(pod, headers=reader)) == (403, "forbidden")
        assert code(await submit(pod)) == (401, "unauthenticated")
    assert not await redis.keys(f"{keys.prefix}:*:limits:*")


async def test_a_minute_later_there_is_room(pods: Pods, bearer: Bearer, redis: Redis, keys: Keys) -> None:
    """Each submit makes room when it is a minute old, and not before; time is made to pass in Redis."""
    me = await bearer()
    async with pods(submits_per_minute=2) as (pod, _):
        for _ in range(2):
            await submit(pod, headers=me)
        await _make_older(redis, keys, 30)
        waiting = await submit(pod, headers=me)
        assert waiting.status_code == 429
        assert rate(waiting)[1] <= 30
        await _make_older(redis, keys, 30)
        assert (await submit(pod, headers=me)).status_code == 202


async def test_the_library_sees_what_the_pods_count(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """By its own storage and its own strategy, on the pods' connections."""
    me = await bearer()
    pool: Any = redis.connection_pool
    storage = RedisStorage("redis://", implementation="redispy", key_prefix=keys.prefix, connection_pool=pool)
    item = RateLimitItemPerMinute(5, namespace=keys.submits("default", "ada").removeprefix(f"{keys.prefix}:"))
    async with pods(submits_per_minute=5) as (pod, _):
        answer = await submit(pod, headers=me)
    window = MovingWindowRateLimiter(storage)
    left = await window.get_window_stats(item)
    assert left.remaining == rate(answer)[0] == 4
    assert left.reset_time - time.time() <= rate(answer)[1]


async def test_nobody_asked_nobody_counted(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """Without authentication there is no principal to count for: no header, and nothing in Redis."""
    answer = await submit(pod)
    assert answer.status_code == 202
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)
    assert not await redis.keys(f"{keys.prefix}:*:limits:*")


async def _make_older(redis: Redis, keys: Keys, seconds: float) -> None:
    client: Any = redis
    (name,) = await client.keys(f"{keys.prefix}:default:limits:submits:*")
    times = [float(raw) for raw in await client.lrange(name, 0, -1)]
    await client.delete(name)
    await client.rpush(name, *[repr(it - seconds) for it in times])
    await client.expire(name, 60)
