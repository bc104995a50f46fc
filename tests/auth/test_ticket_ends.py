"""What ends with a credential, who signs tickets, and what they are where nobody is asked."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from api.auth.secret import Secret
from events.apikeys import KeyDirectory
from events.errors import SettingsError
from events.keys import Keys
from events.settings import Settings, load
from events.tasks import TaskStore
from tests.support.credentials import made
from tests.support.http import code
from tests.support.pods import RunningPod, running_pod
from tests.support.secured import (
    bearer,
    cookie_of,
    ended_task_of,
    events_of,
    open_stream,
    refused,
    secured_pod,
    task_of,
    ticket_for,
)
from tests.support.waiting import wait_until


async def test_neither_ticket_nor_cookie_outlives_its_key(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """Whether that expires or is revoked."""
    task_id = await ended_task_of(tasks, "ada")
    kept, record = await made(directory, "default", "ada")
    async with secured_pod(settings) as pod:
        end = datetime.now(UTC) + timedelta(seconds=8)
        brief, _ = await made(directory, "default", "ada", expires_at=end)
        spent = {key: await ticket_for(pod, key, task_id) for key in (brief, kept)}
        cookies = {key: cookie_of(await open_stream(pod, task_id, spent[key])) for key in spent}
        fresh = {key: await ticket_for(pod, key, task_id) for key in (brief, kept)}
        assert events_of(await open_stream(pod, task_id, spent[kept], cookies[kept]))
        assert await directory.revoke(record.id)
        await wait_until(lambda: time.time() >= end.timestamp())
        for key in spent:
            assert refused(await open_stream(pod, task_id, spent[key], cookies[key]))
            assert refused(await open_stream(pod, task_id, fresh[key]))


async def test_a_stream_opened_by_a_ticket_ends_with_its_key(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """As one that was opened by the key itself; and coming back is no way in."""
    task_id = await task_of(tasks, "ada")
    key, record = await made(directory, "default", "ada")
    async with secured_pod(settings) as pod:
        ticket = await ticket_for(pod, key, task_id)
        async with pod.client.stream("GET", f"/tasks/{task_id}/stream?ticket={ticket}") as answer:
            await wait_until(lambda: len(pod.pod.streams) == 1)
            cookie = cookie_of(answer)
            await directory.revoke(record.id)
            body = b"".join([piece async for piece in answer.aiter_bytes()])
        assert b"your credential has ended" in body
        assert refused(await open_stream(pod, task_id, ticket, cookie))


async def test_a_pod_that_goes_away_gives_the_cookie_all_the_same(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """The ticket is spent, and the browser will come back to another pod."""
    task_id = await ended_task_of(tasks, "ada")
    key, _ = await made(directory, "default", "ada")
    async with secured_pod(settings) as going, secured_pod(settings) as other:
        ticket = await ticket_for(going, key, task_id)
        going.pod.streams.draining = True
        accept = {"Accept": "text/event-stream"}
        farewell = await open_stream(going, task_id, ticket, headers=accept)
        assert (farewell.status_code, events_of(farewell)) == (200, [])
        assert events_of(await open_stream(other, task_id, ticket, cookie_of(farewell), accept))


async def test_pods_share_a_secret_that_nobody_has_set(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory, redis: Redis, keys: Keys
) -> None:
    """A ticket of one pod's opens the stream at another, also at one that was started later."""
    task_id = await ended_task_of(tasks, "ada")
    key, _ = await made(directory, "default", "ada")
    async with secured_pod(settings) as first:
        ticket = await ticket_for(first, key, task_id)
    async with secured_pod(settings) as second:
        assert events_of(await open_stream(second, task_id, ticket))
    assert len(await redis.get(keys.secret) or b"") == 32
    assert 0 < await redis.ttl(keys.secret) <= 86_400


async def test_pods_agree_again_after_redis_has_lost_the_secret(redis: Redis, keys: Keys) -> None:
    """On one that some of them still know, if there is any."""
    pods = [Secret(redis, keys, None, fresh_seconds=0) for _ in range(3)]
    first = await pods[0].get()
    assert {await pod.get() for pod in pods} == {first}
    await redis.delete(keys.secret)
    assert {await pod.get() for pod in reversed(pods)} == {first}
    await redis.delete(keys.secret)
    newcomer = await Secret(redis, keys, None).get()
    assert {await pod.get() for pod in pods} == {newcomer} != {first}


async def test_a_secret_that_was_set_is_in_no_redis(redis: Redis, keys: Keys) -> None:
    """Nor is Redis asked for it."""
    assert await Secret(redis, keys, "s" * 32).get() == b"s" * 32
    assert await redis.get(keys.secret) is None


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what it takes."""
    monkeypatch.setenv("TASKREEL_SECRET", "hunter2")
    with pytest.raises(SettingsError, match=r"^TASKREEL_SECRET=\*\*\* is wrong\. It takes: .*32 characters$"):
        load()
    monkeypatch.setenv("TASKREEL_SECRET", "hunter2" * 5)
    assert "hunter2" not in repr(load())


async def test_where_nobody_is_asked_a_ticket_does_no_harm(pod: RunningPod, task_id: str) -> None:
    """So a page that always uses one works there as well."""
    answer = await pod.client.post(f"/tasks/{task_id}/ticket")
    assert answer.status_code == 201
    async with pod.client.stream("GET", answer.json()["stream"]) as stream:
        assert stream.status_code == 200
        assert "set-cookie" not in stream.headers


async def test_who_somebody_is(settings: Settings, directory: KeyDirectory, tasks: TaskStore) -> None:
    """By the credential alone, with when it ends; where nobody is asked, everybody may do all."""
    end = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
    key, _ = await made(directory, expires_at=end)
    async with secured_pod(settings) as pod:
        assert (await pod.client.get("/whoami", headers=bearer(key))).json() == {
            "auth": "keys", "tenant": "acme", "subject": "ada", "role": "submit",
            "expires_at": "2040-01-02T03:04:05.000Z",
        }  # fmt: skip
        assert code(await pod.client.get("/whoami")) == (401, "unauthenticated")
    async with running_pod(settings) as pod:
        assert (await pod.client.get("/whoami")).json() == {
            "auth": "off", "tenant": "default", "subject": "anonymous", "role": "ops", "expires_at": None,
        }  # fmt: skip


async def test_no_ticket_is_logged(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor a cookie, nor a key, at whatever level our own parts log."""
    caplog.set_level(logging.DEBUG, "api")
    caplog.set_level(logging.DEBUG, "events")
    task_id = await ended_task_of(tasks, "ada")
    key, _ = await made(directory, "default", "ada")
    async with secured_pod(settings) as pod:
        caplog.set_level(logging.DEBUG, "uvicorn.error")
        ticket = await ticket_for(pod, key, task_id)
        cookie = cookie_of(await open_stream(pod, task_id, ticket))
        await open_stream(pod, task_id, ticket)
        await open_stream(pod, task_id, f"{ticket}x", cookie)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert not [word for word in (ticket, cookie, key) if word in ours]
