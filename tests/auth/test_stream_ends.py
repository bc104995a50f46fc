"""A stream ends when the credential that opened it does, and others go on."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import httpx

from api.auth.gate import Gate
from api.auth.principal import Principal
from events.apikeys import KeyDirectory, Role
from events.scraping import ScraperToken
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.credentials import made
from tests.support.pods import RunningPod, running_pod
from tests.support.secured import secured_pod, task_of
from tests.support.waiting import wait_until

ENDED = b"your credential has ended"
ADA = Principal("default", "ada", Role.SUBMIT, "some key", None)


class Bearer:
    """Knows every token, as one principal's that ends a second after it was shown."""

    async def authenticate(self, token: str) -> Principal | None:
        """Whose token that is."""
        return replace(ADA, expires_at=time.time() + 1) if token == "brief" else ADA


async def rest_of(answer: httpx.Response) -> bytes:
    """What comes until the end."""
    return b"".join([piece async for piece in answer.aiter_bytes()])


def opened(pod: RunningPod, task_id: str, token: str) -> AbstractAsyncContextManager[httpx.Response]:
    """A stream, to be entered."""
    return pod.client.stream("GET", f"/tasks/{task_id}/stream", headers={"Authorization": f"Bearer {token}"})


async def test_a_stream_ends_as_its_credential_expires(settings: Settings, tasks: TaskStore) -> None:
    """One that another credential has opened goes on, also on the same task."""
    task_id = await task_of(tasks, "ada")
    async with running_pod(settings) as pod:
        identity = pod.pod.identity
        identity.gate = Gate(Bearer(), identity.tickets, identity.origins, ScraperToken(settings))
        async with opened(pod, task_id, "lasting") as lasting, opened(pod, task_id, "brief") as brief:
            assert ENDED in await rest_of(brief)
            await wait_until(lambda: len(pod.pod.streams) == 1)
            pod.pod.streams.drain()
            assert ENDED not in await rest_of(lasting)


async def test_a_revoked_keys_streams_end(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """On every pod; those of the same subject's other key go on."""
    task_id = await task_of(tasks, "ada")
    old, record = await made(directory, "default", "ada")
    new, _ = await made(directory, "default", "ada")
    async with (
        secured_pod(settings) as pod,
        secured_pod(settings) as other,
        opened(pod, task_id, old) as first,
        opened(other, task_id, old) as second,
        opened(pod, task_id, new) as third,
    ):
        await wait_until(lambda: len(pod.pod.streams) == 2 and len(other.pod.streams) == 1)
        await directory.revoke(record.id)
        assert ENDED in await rest_of(first)
        assert ENDED in await rest_of(second)
        await wait_until(lambda: len(pod.pod.streams) == 1)
        pod.pod.streams.drain()
        assert ENDED not in await rest_of(third)


async def test_a_revocation_that_nobody_heard_of_is_found(
    settings: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """The pod asks from time to time which of its streams' credentials still hold."""
    task_id = await task_of(tasks, "ada")
    key, record = await made(directory, "default", "ada")
    async with secured_pod(settings) as pod, opened(pod, task_id, key) as answer:
        watch = pod.pod.identity.watch
        await wait_until(lambda: watch.credentials() == {record.id})
        await watch.recheck()
        assert len(pod.pod.streams) == 1
        await directory.redis.delete(directory.keys.api_keys)
        await watch.recheck()
        assert ENDED in await rest_of(answer)
