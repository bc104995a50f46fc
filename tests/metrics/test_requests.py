"""What a pod counts of its requests, and who may read it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis
from uuid_utils import uuid7

from api.edge.admission import Admission
from api.edge.limits import Limits
from api.edge.server import hosts_of
from api.methods import METHODS
from events.graphs import GraphDirectory
from events.keys import Keys
from events.queue import Dispatcher
from events.settings import Auth, Settings
from events.state import Submission
from events.tasks import TaskStore
from tests.support.http import ECHO, code, submit
from tests.support.metrics import ledger, samples, scraped
from tests.support.pods import RunningPod, running_pod
from tests.support.proxy import gate
from tests.support.wire import EVENT_STREAM

TOKEN = "only-a-scraper-has-it"
TASKS = {"method": "POST", "route": "/tasks"}


@pytest.fixture
async def echo(redis: Redis, keys: Keys) -> AsyncGenerator[None]:
    """The graph `echo` is announced, and nobody runs it."""
    await GraphDirectory(redis, keys).announce([ECHO])
    yield
    for task_id in await redis.zrange(keys.deadlines, 0, -1):
        await redis.delete(keys.log(task_id.decode()), keys.task(task_id.decode()))
    await redis.delete(keys.graphs)


@pytest.mark.usefixtures("echo")
async def test_submits_are_counted_by_what_came_of_them(pod: RunningPod) -> None:
    """Each once, beside its request and its problem; one that fails wherever it may is counted too."""
    book = await ledger(pod)
    assert (await submit(pod, key="one")).status_code == 202
    assert (await submit(pod, key="one")).status_code == 202
    assert (await submit(pod, raw=b"{}")).status_code == 422
    assert (await submit(pod, raw=b"{")).status_code == 400
    assert (await submit(pod, graph="CANARY")).status_code == 404
    assert (await submit(pod, thread_id="t")).status_code == 202
    assert (await submit(pod, thread_id="t")).status_code == 409
    assert await book.grown_all("taskreel_submits_total") == {
        ("accepted",): 2, ("replayed",): 1, ("invalid_request",): 1, ("invalid_json",): 1,
        ("graph_not_found",): 1, ("thread_busy",): 1,
    }  # fmt: skip
    assert await book.grown_all("taskreel_http_problems_total") == {
        ("invalid_request", "422"): 1, ("invalid_json", "400"): 1,
        ("graph_not_found", "404"): 1, ("thread_busy", "409"): 1,
    }  # fmt: skip
    assert await book.grown("taskreel_http_requests_total", **TASKS, status="202") == 3
    assert await book.grown("taskreel_http_requests_total", **TASKS, status="404") == 1
    assert await book.grown("taskreel_http_request_duration_seconds_count", **TASKS) == 7
    assert 0 < await book.grown("taskreel_http_request_duration_seconds_sum", **TASKS) < 60


async def test_what_clients_send_names_no_series(pod: RunningPod, task_id: str) -> None:
    """Routes are templates, methods and codes are ours: no request makes a series of its own."""
    paths = ("/CANARY", "/tasks/CANARY", f"/tasks/{task_id}", "/tasks/CANARY/stream", "/console/CANARY")
    before = len(await scraped(pod.url))
    for path in (*paths, *paths):
        for method in ("GET", "CANARY", "DELETE"):
            await pod.client.request(method, path, headers={"X-Request-ID": "CANARY"}, params={"q": "CANARY"})
    text = (await pod.client.get("/metrics")).text
    assert "CANARY" not in text
    assert task_id not in text
    labels = [dict(series[1]) for series in samples(text) if series[0] == "taskreel_http_requests_total"]
    paths = set((await pod.client.get("/openapi.json")).json()["paths"]) | {"/console/", "/docs/", "other"}
    assert {it["route"] for it in labels} <= paths | {"/", "/docs", "/favicon.ico", "/openapi.json"}
    assert {it["method"] for it in labels} <= {*METHODS, "OPTIONS", "other"}
    assert before < len(samples(text)) < before + 300


async def test_a_problem_that_an_event_source_gets_as_a_comment_is_counted(pod: RunningPod) -> None:
    """Its answer's status is 200, for an EventSource would give up; the problem has its own."""
    book = await ledger(pod)
    pod.pod.streams.draining = True
    told = await pod.client.post("/tasks", json={"graph": "echo"}, headers=EVENT_STREAM)
    assert told.status_code == 200
    assert await book.grown_all("taskreel_http_problems_total") == {("draining", "503"): 1}
    assert await book.grown("taskreel_submits_total", outcome="draining") == 1


async def test_the_queue_is_told_as_long_as_it_can_be_seen(
    settings: Settings, redis_port: int, tasks: TaskStore, dispatcher: Dispatcher, echo: None
) -> None:
    """Its age is that of the dispatch, and not of a task that was submitted long ago; away is not empty."""
    task_id = str(uuid7())
    await tasks.submit(Submission(task_id, "echo", "default", {}, task_id, {}, "2020-01-01T00:00:00.000Z"))
    async with gate(redis_port) as redis:
        through = settings.model_copy(update={"redis_url": redis.url})
        async with running_pod(through) as pod:
            await dispatcher.dispatch(task_id, "default")
            told = await scraped(pod.url)
            assert told["taskreel_log_up", frozenset()] == told["taskreel_queue_up", frozenset()] == 1
            default = frozenset({("pool", "default")})
            assert told["taskreel_queue_depth", default] == 1
            assert 0 <= told["taskreel_queue_oldest_age_seconds", default] < 60
            redis.close()
            pod.pod.gauges.forget()
            told = await scraped(pod.url)
            assert told["taskreel_log_up", frozenset()] == told["taskreel_queue_up", frozenset()] == 0
            assert ("taskreel_queue_depth", default) not in told
            assert ("taskreel_queue_oldest_age_seconds", default) not in told
            redis.shut = False
            pod.pod.gauges.forget()
            assert (await scraped(pod.url))["taskreel_queue_depth", default] == 1


async def test_redis_is_asked_once_a_second_however_many_scrape(pod: RunningPod, redis: Redis) -> None:
    """The figures of one look are good for all that come within it."""
    await scraped(pod.url)
    pod.pod.gauges.forget()
    before = (await redis.info("commandstats"))["cmdstat_ping"]["calls"]
    for _ in range(5):
        await pod.client.get("/metrics")
    after = (await redis.info("commandstats"))["cmdstat_ping"]["calls"]
    assert after - before <= 2 * (1 + 5), "each look sends two"


async def test_openmetrics_is_told_to_who_asks_for_it(pod: RunningPod) -> None:
    """By Accept, as Prometheus sends it; whatever else is asked for gets plain text, and no echo of it."""
    asked = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    answer = await pod.client.get("/metrics", headers={"Accept": asked})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("# EOF\n")
    for hostile in ("", "*/*", "text/plain;version=CANARY", "x/y", ";;,,=", "text/plain; version=99.CANARY"):
        answer = await pod.client.get("/metrics", headers={"Accept": hostile})
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", hostile
        assert answer.headers["cache-control"] == "no-store"
    hostile = "application/openmetrics-text; version=CANARY"
    answer = await pod.client.get("/metrics", headers={"Accept": hostile})
    assert "CANARY" not in answer.headers["content-type"]


@pytest.mark.parametrize("auth", [Auth.OFF, Auth.KEYS])
async def test_a_token_that_is_set_is_asked_for(settings: Settings, auth: Auth) -> None:
    """Whether or not requests need a credential; one that is nearly right isn't."""
    more = {"auth": auth, "metrics_token": TOKEN}
    async with running_pod(settings.model_copy(update=more)) as pod:
        for wrong in (
            "",
            TOKEN,
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN}x",
            "Bearer",
            f"Basic {TOKEN}",
            "Bearer ü",
        ):
            headers = {b"Authorization": wrong.encode()} if wrong else {}
            answer = await pod.client.get("/metrics", headers=headers)
            assert code(answer) == (401, "unauthenticated"), wrong
            assert "taskreel_" not in answer.text
        assert await scraped(pod.url, Authorization=f"bearer {TOKEN}")


async def test_a_scraper_comes_by_address(settings: Settings) -> None:
    """Whatever names the pod goes by; but not where anybody may read, and a foreign page could."""
    named = settings.model_copy(update={"hosts": ["api.example.com"]})
    for token, status in ((TOKEN, 200), (None, 421)):
        own = named.model_copy(update={"metrics_token": token})
        hosts = hosts_of(own, "127.0.0.1")
        async with running_pod(own, admission=Admission(Limits(10, 20), hosts=hosts)) as pod:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert (await pod.client.get("/metrics", headers=headers)).status_code == status
            assert (await pod.client.get("/tasks")).status_code == 421


async def test_without_a_token_a_secured_pod_has_no_metrics(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for a right key either; one line at the start says what to do."""
    async with running_pod(settings.model_copy(update={"auth": Auth.KEYS})) as pod:
        for headers in ({}, {"Authorization": "Bearer x"}):
            assert code(await pod.client.get("/metrics", headers=headers)) == (404, "not_found")
    lines = [record.getMessage() for record in caplog.records if "/metrics" in record.getMessage()]
    assert lines == ["/metrics is not served: set TASKREEL_METRICS_TOKEN to what its scraper shall send"]


async def test_the_token_is_in_no_text_of_the_settings(settings: Settings) -> None:
    """What is logged of them can't give it away."""
    assert TOKEN not in repr(settings.model_copy(update={"metrics_token": TOKEN}))
