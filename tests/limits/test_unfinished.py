"""Unfinished tasks: no more than the limit, over all pods, and no place is lost for ever."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from events.append import Appender
from events.keys import Keys
from events.quotas import QUESTIONED_AT_ONCE, Owner, TaskQuota
from events.tasks import TaskStore
from tests.limits.conftest import Bearer, Pods
from tests.support.http import code, submit
from tests.support.logs import SUCCEEDED, attempt, plant
from tests.support.wire import EVENT_STREAM, assert_passing

ADA = Owner("default", "ada")


async def places(redis: Redis, keys: Keys, owner: Owner = ADA) -> list[str]:
    """The tasks that have an owner's places."""
    found = cast("list[bytes]", await redis.zrange(keys.unfinished(*owner), 0, -1))
    return [task.decode() for task in found]


async def let_all_be_questioned(redis: Redis, keys: Keys) -> None:
    """As they are after a while."""
    for task in await places(redis, keys):
        await redis.zadd(keys.unfinished(*ADA), {task: 0})


async def test_hundreds_at_once_get_no_more_than_the_limit(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys
) -> None:
    """Two hundred requests at two pods; thirty places, though busy pods may have no connection for some."""
    me = await bearer()
    async with pods(max_unfinished=30) as both:
        answers = await asyncio.gather(*[submit(both[n % 2], headers=me) for n in range(200)])
        assert {answer.status_code for answer in answers} <= {202, 429, 503}
        taken = set(await places(redis, keys))
        assert len(taken) == 30
        assert {it.json()["task_id"] for it in answers if it.status_code == 202} <= taken
        refused = [answer for answer in answers if answer.status_code == 429]
        assert code(refused[0]) == (429, "too_many_tasks")
        assert int(refused[0].headers["retry-after"]) > 0
        assert "30 unfinished tasks" in refused[0].json()["detail"]
        listed = await both[0].client.get("/tasks?limit=1000", headers=me)
        assert {task["task_id"] for task in listed.json()["tasks"]} <= taken, "no refused one is left"


async def test_a_task_that_ends_makes_room(
    pods: Pods, bearer: Bearer, tasks: TaskStore, appender: Appender
) -> None:
    """As it's settled; an event stream's client is told to come back until then."""
    me = await bearer()
    async with pods(max_unfinished=1) as (pod, other):
        first = (await submit(pod, headers=me)).json()["task_id"]
        refused = await submit(other, headers={**me, **EVENT_STREAM})
        assert refused.status_code == 200
        assert_passing(refused.content)
        await attempt(tasks, appender, first, [SUCCEEDED])
        assert (await submit(other, headers=me)).status_code == 202
        assert code(await submit(pod, headers=me)) == (429, "too_many_tasks")


async def test_principals_are_counted_apart(pods: Pods, bearer: Bearer) -> None:
    """Another subject, or one of that name in another tenant, is another; a new key of the same is not."""
    me, again = await bearer(), await bearer()
    others = [await bearer(name="bob"), await bearer("acme")]
    async with pods(max_unfinished=1) as (pod, _):
        assert (await submit(pod, headers=me)).status_code == 202
        assert code(await submit(pod, headers=again)) == (429, "too_many_tasks")
        for other in others:
            assert (await submit(pod, headers=other)).status_code == 202


async def test_a_refused_submit_has_no_place(pods: Pods, bearer: Bearer, redis: Redis, keys: Keys) -> None:
    """Neither one whose thread is busy, nor one that no log could hold, nor a replay."""
    me = await bearer()
    large = b'{"graph":"echo","input":{"text":"' + b"x" * (2**20 - 60) + b'"}}'
    async with pods(max_unfinished=10) as (pod, _):
        first = (await submit(pod, "key", headers=me, thread_id="t")).json()["task_id"]
        assert code(await submit(pod, headers=me, thread_id="t")) == (409, "thread_busy")
        assert code(await submit(pod, headers=me, raw=large)) == (422, "invalid_input")
        assert (await submit(pod, "key", headers=me, thread_id="t")).status_code == 202
    assert await places(redis, keys) == [first]


async def test_a_submit_that_was_cut_off_is_finished_in_its_own_place(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's second try with the key makes that very task, though there is but one place."""

    async def cut_off(_: object) -> None:
        raise RedisConnectionError("cut off")

    me = await bearer()
    async with pods(max_unfinished=1) as (pod, _):
        with monkeypatch.context() as broken:
            broken.setattr(pod.pod.tasks, "submit", cut_off)
            assert code(await submit(pod, "key", headers=me)) == (503, "log_unavailable")
        answer = await submit(pod, "key", headers=me)
        assert answer.status_code == 202
        assert await places(redis, keys) == [answer.json()["task_id"]]


async def test_places_that_were_left_behind_are_found(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys, tasks: TaskStore
) -> None:
    """Of a task that ended and wasn't settled, and of one that was never made; not before their time."""
    me = await bearer()
    async with pods(max_unfinished=2) as (pod, _):
        ended = (await submit(pod, headers=me)).json()["task_id"]
        await plant(tasks.log, ended, ["1-2"], SUCCEEDED)
        assert await TaskQuota(tasks.log).take(ADA, "never-made", 2)
        assert code(await submit(pod, headers=me)) == (429, "too_many_tasks")
        await let_all_be_questioned(redis, keys)
        made = [(await submit(pod, headers=me)).json()["task_id"] for _ in range(2)]
        assert sorted(await places(redis, keys)) == sorted(made)
        assert code(await submit(pod, headers=me)) == (429, "too_many_tasks")
    await tasks.settle(ended)


async def test_unfinished_tasks_keep_their_places(
    pods: Pods, bearer: Bearer, redis: Redis, keys: Keys, tasks: TaskStore
) -> None:
    """However often they are looked at: one that is queued, and one whose submit a sweeper may yet forget."""
    me = await bearer()
    async with pods(max_unfinished=2) as (pod, _):
        queued = (await submit(pod, headers=me)).json()["task_id"]
        assert await TaskQuota(tasks.log).take(ADA, "half-made", 2)
        await tasks.expect("half-made", 5_000)
        for _ in range(3):
            await let_all_be_questioned(redis, keys)
            assert code(await submit(pod, headers=me)) == (429, "too_many_tasks")
        assert sorted(await places(redis, keys)) == sorted([queued, "half-made"])
        await tasks.forget("half-made")
        await let_all_be_questioned(redis, keys)
        assert (await submit(pod, headers=me)).status_code == 202


async def test_all_are_looked_at_in_turn(redis: Redis, keys: Keys, tasks: TaskStore, task_id: str) -> None:
    """Also a place that stands behind more unfinished tasks than are looked at at once."""
    quota, limit = TaskQuota(tasks.log), QUESTIONED_AT_ONCE + 1
    for number in range(QUESTIONED_AT_ONCE):
        waiting = f"a-{number:03}"
        await tasks.log.redis.zadd(keys.deadlines, {waiting: 1})
        assert await quota.take(ADA, waiting, limit)
    assert await quota.take(ADA, "b-never-made", limit)
    await let_all_be_questioned(redis, keys)
    assert [await quota.take(ADA, task_id, limit) for _ in range(2)] == [False, True]
    assert "b-never-made" not in await places(redis, keys)
