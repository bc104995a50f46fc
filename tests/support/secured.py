"""Pods that ask who somebody is, and what their clients send to tell."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from httpx_sse import EventSource
from uuid_utils import uuid7

from events.apikeys import KeyDirectory, Role
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import now_ms, timestamp
from events.settings import Auth, Settings
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import qualify
from tests.support.credentials import made
from tests.support.http import code
from tests.support.logs import ids, plant, seal
from tests.support.pods import RunningPod, running_pod

COOKIE = "taskreel_stream"


@contextlib.asynccontextmanager
async def secured_pod(settings: Settings, **more: Any) -> AsyncGenerator[RunningPod]:
    """A pod that asks for API keys; `more` are settings."""
    async with running_pod(settings.model_copy(update={"auth": Auth.KEYS, **more})) as pod:
        yield pod


def bearer(key: str) -> dict[str, str]:
    """The header of who has a key."""
    return {"Authorization": f"Bearer {key}"}


async def task_of(tasks: TaskStore, subject: str, tenant: str = "default") -> str:
    """A task that a subject has just submitted, by the id that its tenant knows."""
    bare = str(uuid7())
    made = timestamp(now_ms())
    await tasks.submit(Submission(qualify(tenant, bare), "echo", "default", {}, bare, {}, made, subject))
    return bare


async def ended_task_of(tasks: TaskStore, subject: str, tenant: str = "default") -> str:
    """The same, and it has succeeded: its stream ends."""
    bare = await task_of(tasks, subject, tenant)
    await seal(tasks, qualify(tenant, bare), "1-2")
    return bare


async def ticket_for(pod: RunningPod, key: str, task_id: str) -> str:
    """A ticket that the bearer of a key gets for a task's stream."""
    answer = await pod.client.post(f"/tasks/{task_id}/ticket", headers=bearer(key))
    assert answer.status_code == 201, answer.text
    return answer.json()["ticket"]


async def open_stream(
    pod: RunningPod,
    task_id: str,
    ticket: str | None = None,
    cookie: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """What a stream's URL answers to a ticket and a cookie, read to its end."""
    query = {} if ticket is None else {"ticket": ticket}
    sent = {**(headers or {}), **({} if cookie is None else {"Cookie": f"{COOKIE}={cookie}"})}
    return await pod.client.get(f"/tasks/{task_id}/stream", params=query, headers=sent)


def cookie_of(answer: httpx.Response) -> str:
    """The cookie that came with an answer; the client itself keeps none."""
    name, _, text = answer.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == COOKIE
    return text


def events_of(answer: httpx.Response) -> list[str]:
    """The ids of the events in an answer."""
    assert answer.status_code == 200, answer.text
    return [event.id for event in EventSource(answer).iter_sse() if event.event != "message"]


def refused(answer: httpx.Response) -> bool:
    """Whether it's the one answer to every ticket that doesn't open a stream."""
    assert "set-cookie" not in answer.headers
    assert answer.headers["www-authenticate"] == 'Bearer realm="taskreel", error="invalid_token"'
    return code(answer) == (401, "unauthenticated")


@dataclass(frozen=True)
class Secured:
    """A pod that asks for API keys, and what tests need beside it.

    Attributes:
        open_settings: of another pod of the system, which asks nobody.
    """

    pod: RunningPod
    tasks: TaskStore
    directory: KeyDirectory
    open_settings: Settings

    async def key(self, name: str = "ada", role: Role = Role.SUBMIT, tenant: str = "default") -> str:
        """A new API key."""
        return (await made(self.directory, tenant, name, role))[0]

    async def revoke(self, key: str) -> None:
        """Have a key be none."""
        assert await self.directory.revoke(key.split("_")[1])

    async def ten(self, subject: str = "ada") -> str:
        """A subject's running task with the log 0-1, 1-2 … 1-10."""
        task_id = await task_of(self.tasks, subject)
        await plant(self.tasks.log, task_id, ids("1-2", "1-10"))
        return task_id


@contextlib.asynccontextmanager
async def secured_system(redis_port: int, **more: Any) -> AsyncGenerator[Secured]:
    """A pod on a key prefix of its own; `more` are settings."""
    url, prefix = f"redis://127.0.0.1:{redis_port}/0", f"secured-{uuid4().hex[:8]}"
    redis, keys = connect(url), Keys(prefix)
    tasks = TaskStore(EventLog(redis, keys), retention_seconds=60)
    settings = Settings(redis_url=url, key_prefix=prefix)
    async with secured_pod(settings, **more) as pod:
        yield Secured(pod, tasks, KeyDirectory(redis, keys), settings)
    for name in await redis.keys(f"{prefix}:*"):
        await redis.delete(name)
    await redis.aclose()
