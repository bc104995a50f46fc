"""A system with two tenants and a key for each kind of caller, and tasks in every state, made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from uuid_utils import uuid7

from events.apikeys import KeyDirectory, Role, new_key
from events.append import Appender
from events.model import Event, EventType
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import qualify
from tests.support.logs import SUCCEEDED, attempt, numbered
from tests.support.pods import RunningPod

QUESTION = {"interrupts": [{"id": "i1", "value": {"question": "Enough?"}}]}

STATES: Mapping[str, list[Event]] = {
    "queued": [],
    "running": numbered(2),
    "waiting": [*numbered(1), Event(EventType.TASK_INTERRUPTED, QUESTION)],
    "ended": [*numbered(2), SUCCEEDED],
    "expired": [*numbered(2), SUCCEEDED],
}
"""What is in the log of a task in that state, after its submission."""

METRICS_TOKEN = "prometheus-has-this-one"
"""What the scraper of the metrics sends, who may do nothing else."""

CALLERS: Mapping[str, tuple[str, str, Role]] = {
    "owner": ("acme", "ada", Role.SUBMIT),
    "colleague": ("acme", "bob", Role.SUBMIT),
    "reader": ("acme", "rex", Role.READ),
    "ops": ("acme", "olga", Role.OPS),
    "stranger": ("globex", "otto", Role.OPS),
    "namesake": ("globex", "ada", Role.SUBMIT),
    "nearby": ("acm", "ada", Role.OPS),
    "default": ("default", "dora", Role.OPS),
}
"""Who has a key that holds: tenant, subject and role. The tasks are the owner's."""


@dataclass
class World:
    """A pod, and everything to ask it as anybody.

    Attributes:
        pod: it.
        tasks, appender: to make tasks with.
        headers: what each caller sends to be known by.
    """

    pod: RunningPod
    tasks: TaskStore
    appender: Appender
    headers: dict[str, list[tuple[str, str]]]

    async def make(
        self, state: str, tenant: str = "acme", subject: str = "ada", name: str | None = None, **more: Any
    ) -> str:
        """A task in that state; gives its bare id. `more`: of its metadata and its input."""
        bare = name or str(uuid7())
        task_id = qualify(tenant, bare)
        created = "2026-11-21T00:00:00.000Z"
        await self.tasks.submit(
            Submission(task_id, "echo", "default", more, bare, more, created, subject=subject)
        )
        if STATES[state]:
            await attempt(self.tasks, self.appender, task_id, STATES[state])
        if state == "expired":
            keys = self.tasks.log.keys
            assert await self.tasks.log.redis.delete(keys.log(task_id), keys.task(task_id)) == 2
        return bare

    async def ask(
        self, caller: str, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        """One request, its answer's head, and its body unless that is a stream without an end."""
        sent = [*self.headers[caller], *(headers or {}).items()]
        asked = self.pod.client.build_request(method, path, headers=sent, **request)
        answer = await self.pod.client.send(asked, stream=True)
        try:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                await answer.aread()
        finally:
            await answer.aclose()
        return answer

    def token(self, caller: str) -> str:
        """A caller's key."""
        return dict(self.headers[caller])["Authorization"].removeprefix("Bearer ")

    async def kept(self, task_id: str) -> tuple[Any, ...]:
        """All that Redis has of one task."""
        redis, keys = self.tasks.log.redis, self.tasks.log.keys
        pipe = redis.pipeline(transaction=True)
        pipe.hgetall(keys.task(task_id))
        pipe.xrange(keys.log(task_id))
        pipe.zscore(keys.deadlines, task_id)
        return tuple(await pipe.execute())


async def headers(directory: KeyDirectory) -> dict[str, list[tuple[str, str]]]:
    """A key for each caller, and what is sent by those who have none that holds."""
    found: dict[str, list[tuple[str, str]]] = {"nobody": []}
    for caller, (tenant, subject, role) in CALLERS.items():
        key, record = new_key(tenant, subject, role)
        await directory.add(record)
        found[caller] = _bearer(key)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired, record = new_key("acme", "olga", Role.OPS, yesterday)
    await directory.add(record)
    revoked, record = new_key("acme", "olga", Role.OPS)
    await directory.add(record)
    assert await directory.revoke(record.id)
    right = found["ops"][0][1]
    wrong = right[:-4] + ("AAAA" if not right.endswith("AAAA") else "BBBB")
    return found | {
        "expired": _bearer(expired),
        "revoked": _bearer(revoked),
        "wrong": [("Authorization", wrong)],
        "unknown": _bearer(new_key("acme", "olga", Role.OPS)[0]),
        "no key": _bearer("sesame"),
        "basic": [("Authorization", "Basic b2xnYTpvbGdh")],
        "twice": [*found["ops"], *found["ops"]],
        "scraper": _bearer(METRICS_TOKEN),
    }


def _bearer(key: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {key}")]
