"""Requests that another site's page makes a browser send: they change nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from events.apikeys import KeyDirectory
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.credentials import made
from tests.support.http import code
from tests.support.pods import running_pod
from tests.support.secured import (
    bearer,
    cookie_of,
    ended_task_of,
    events_of,
    open_stream,
    secured_pod,
    ticket_for,
)

EVIL = "https://evil.example.net"
SELF = "http://pod.example"

FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": f"{SELF}:8000"},
    {"Origin": "https://pod.example"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": SELF, "Sec-Fetch-Site": "cross-site"},
    {"Origin": f"{SELF}:8000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "anything"},
]
"""What a browser tells of another site's page, at a pod that it knows by SELF."""

OWN = [
    {},
    {"Origin": SELF},
    {"Origin": SELF, "Sec-Fetch-Site": "same-origin"},
    {"Origin": "https://pod.example", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
]
"""Of our own pages, also behind a proxy that ends TLS; and what is no browser tells nothing."""


def sent(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request for the pod at SELF."""
    return {"Host": "pod.example", **headers}


@pytest.fixture
def named(settings: Settings) -> Settings:
    """Settings of a pod that goes by SELF's name."""
    return settings.model_copy(update={"hosts": ["pod.example"]})


@pytest.mark.parametrize("headers", FOREIGN)
async def test_where_nobody_is_asked_other_pages_change_nothing(
    named: Settings, task_id: str, headers: Mapping[str, str], tasks: TaskStore
) -> None:
    """A form or a script of theirs may post, and an image may have any URL."""
    async with running_pod(named) as pod:
        for method, path in [
            ("POST", "/tasks"),
            ("POST", f"/tasks/{task_id}/cancel"),
            ("POST", f"/tasks/{task_id}/resume"),
            ("GET", f"/tasks/{task_id}/stream?on_disconnect=cancel"),
            ("GET", f"/tasks/{task_id}/stream?on_disconnect=%63ancel"),
        ]:
            answer = await pod.client.request(method, path, headers=sent(headers))
            assert code(answer) == (403, "cross_origin"), (method, path)
        assert (await pod.client.get("/tasks", headers=sent(headers))).status_code == 200
    assert not (await tasks.get(task_id)).cancel_requested


@pytest.mark.parametrize("headers", OWN)
async def test_our_own_pages_and_what_is_no_browser_pass(
    named: Settings, task_id: str, headers: Mapping[str, str]
) -> None:
    """As they always did."""
    async with running_pod(named) as pod:
        answer = await pod.client.post(f"/tasks/{task_id}/cancel", headers=sent(headers))
        assert answer.status_code == 202


async def test_pages_that_were_named_pass(named: Settings, task_id: str) -> None:
    """TASKREEL_CORS_ORIGINS is for those who may use the pod."""
    async with running_pod(named.model_copy(update={"cors_origins": [EVIL]})) as pod:
        headers = sent({"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})
        answer = await pod.client.post(f"/tasks/{task_id}/cancel", headers=headers)
        assert answer.status_code == 202
        assert answer.headers["access-control-allow-origin"] == EVIL


async def test_a_credential_that_only_a_page_can_send_is_enough(
    named: Settings, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """No browser sends a header by itself, so whoever sends it knows it."""
    key, _ = await made(directory, "default", "ada")
    task_id = await ended_task_of(tasks, "ada")
    async with secured_pod(named) as pod:
        headers = sent({**bearer(key), "Origin": EVIL, "Sec-Fetch-Site": "cross-site"})
        answer = await pod.client.post(f"/tasks/{task_id}/ticket", headers=headers)
        assert answer.status_code == 201


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_cookie_is_no_use_to_other_pages(
    named: Settings, tasks: TaskStore, directory: KeyDirectory, headers: Mapping[str, str]
) -> None:
    """Though the browser sends it, as it does for another port of the same host."""
    key, _ = await made(directory, "default", "ada")
    task_id = await ended_task_of(tasks, "ada")
    async with secured_pod(named) as pod:
        pod.client.headers["Host"] = "pod.example"
        ticket = await ticket_for(pod, key, task_id)
        cookie = cookie_of(await open_stream(pod, task_id, ticket))
        forged = await open_stream(pod, task_id, ticket, cookie, headers)
        assert code(forged) == (403, "cross_origin")
        assert events_of(await open_stream(pod, task_id, ticket, cookie, OWN[2]))
