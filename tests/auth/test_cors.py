"""Pages of other origins: which may use a pod, and which can't make a browser change anything there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from events.apikeys import KeyDirectory
from events.errors import SettingsError
from events.settings import Settings, load
from events.tasks import TaskStore
from tests.support.credentials import made
from tests.support.http import code
from tests.support.pods import RunningPod
from tests.support.secured import bearer, secured_pod, task_of
from tests.support.waiting import wait_until

APP = "https://app.example.com"
EVIL = "https://evil.example.net"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
async def shared(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod that asks for API keys, and that pages of one other origin may use."""
    async with secured_pod(settings, cors_origins=[APP]) as pod:
        yield pod


async def test_a_preflight_needs_no_credential(shared: RunningPod) -> None:
    """A browser sends none with it."""
    answer = await shared.client.options("/tasks", headers={"Origin": APP, **PREFLIGHT})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    allowed = set(answer.headers["access-control-allow-headers"].lower().split(", "))
    assert allowed >= {"authorization", "content-type", "idempotency-key", "last-event-id", "x-request-id"}
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("origin", [EVIL, f"{APP}.evil.net", f"{APP}:8443", "http://app.example.com", "null"])
async def test_other_origins_are_told_nothing(shared: RunningPod, origin: str) -> None:
    """Neither by a preflight nor by an answer; names that merely look alike are others."""
    answer = await shared.client.options("/tasks", headers={"Origin": origin, **PREFLIGHT})
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    answer = await shared.client.get("/healthz", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/tasks", "/tasks/x/stream", "/none"])
async def test_every_answer_can_be_read(shared: RunningPod, path: str) -> None:
    """Refusals as well, for the page has to know why; with what its script needs of the headers."""
    answer = await shared.client.get(path, headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == APP
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"location", "retry-after", "idempotent-replayed", "etag", "x-request-id", "ratelimit"}
    assert "Origin" in answer.headers["vary"]


async def test_streams_can_be_read_and_nothing_of_it_stays(
    shared: RunningPod, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """A live stream is taken over as ever: no task is left that would hold on to a wrapper."""
    key, _ = await made(directory, "default", "ada")
    task_id = await task_of(tasks, "ada")
    sent = {"Origin": APP, **bearer(key)}
    async with shared.client.stream("GET", f"/tasks/{task_id}/stream", headers=sent) as answer:
        assert answer.headers["access-control-allow-origin"] == APP
        await wait_until(lambda: len(shared.pod.streams) == 1)
        await wait_until(lambda: not requests_under_way())


def requests_under_way() -> list[str]:
    """The tasks in which uvicorn has the application answer."""
    coroutines = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return [it for it in coroutines if "run_asgi" in it]


async def test_without_the_setting_there_is_no_cors(settings: Settings) -> None:
    """No header of it, and a preflight is a request without a credential like any other."""
    async with secured_pod(settings) as pod:
        answer = await pod.client.options("/tasks", headers={"Origin": APP, **PREFLIGHT})
        assert code(answer) == (401, "unauthenticated")
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origins", ["*", f"{APP}/", f"{APP}/x", "app.example.com", "https://*.example.com", "null", "HTTPS://A.B"]
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    """With one line that says what it takes."""
    monkeypatch.setenv("TASKREEL_CORS_ORIGINS", f"http://localhost:3000, {origins}")
    with pytest.raises(
        SettingsError, match=r"^TASKREEL_CORS_ORIGINS=.*is wrong\. It takes: origins as browsers"
    ):
        load()


def test_several_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separated by commas, with ports and addresses."""
    monkeypatch.setenv("TASKREEL_CORS_ORIGINS", f"{APP}, http://localhost:3000,http://[::1]:80")
    assert load().cors_origins == [APP, "http://localhost:3000", "http://[::1]:80"]
