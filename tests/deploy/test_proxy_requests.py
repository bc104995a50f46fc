"""Requests through the real nginx of deploy/nginx: what pods get, who is asked again, what nginx answers."""

from __future__ import annotations

import json
import re
import signal

import httpx
import pytest

from tests.deploy.proxied import HTTP_2, Proxied, curl
from tests.deploy.recorder import recorder
from tests.support.clients import ask, crowd
from tests.support.growing import Growing
from tests.support.http import code
from tests.support.nginx import Nginx, nginx
from tests.support.server import free_port
from tests.support.waiting import wait_until
from tests.support.wire import EVENT_STREAM, assert_passing

JSON = {"Content-Type": "application/json"}


def client_of(proxy: Nginx) -> httpx.AsyncClient:
    """A client of a proxy's."""
    return httpx.AsyncClient(base_url=proxy.url, trust_env=False, timeout=30)


async def test_pods_see_the_request_as_it_was_made() -> None:
    """The host and its port, the path untouched; and of the client what nginx itself knows."""
    hostile = {"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X-Forwarded-Proto": "gopher"}
    async with recorder() as pod:
        with nginx([pod.port]) as proxy:
            async with client_of(proxy) as client:
                await client.get("/tasks//a%2Fb?ticket=secret", headers={**hostile, "X-Request-ID": "mine"})
            assert pod.heads[-1].startswith(b"GET /tasks//a%2Fb?ticket=secret HTTP/1.1\r\n")
            assert pod.header("Host") == [proxy.url.removeprefix("http://")]
            assert pod.header("X-Forwarded-For") == ["127.0.0.1"]
            assert pod.header("X-Forwarded-Proto") == ["http"]
            assert pod.header("Forwarded") == []
            assert pod.header("X-Request-ID") == ["mine"]
            async with curl(proxy, HTTP_2, "/") as secure:
                await secure.rest()
            assert pod.header("Host") == [proxy.secure_url.removeprefix("https://")]
            assert pod.header("X-Forwarded-Proto") == ["https"]
            assert re.fullmatch("[0-9a-f]{32}", pod.header("X-Request-ID")[0])


async def test_connections_to_pods_are_kept() -> None:
    """Ten requests, one connection."""
    async with recorder() as pod:
        with nginx([pod.port], {"worker_processes auto": "worker_processes 1"}) as proxy:
            async with client_of(proxy) as client:
                for _ in range(10):
                    assert (await client.get("/")).text == "ok"
        assert (len(pod.heads), pod.connections) == (10, 1)
        assert pod.header("Connection") == []


async def test_a_dead_pod_costs_no_request() -> None:
    """One of two ports refuses: GET and POST go to the other one."""
    async with recorder() as pod:
        with nginx([free_port(), pod.port]) as proxy:
            async with client_of(proxy) as client:
                answers = [await client.request(method, "/") for method in ("GET", "POST") * 5]
        assert [answer.text for answer in answers] == ["ok"] * 10
        assert len(pod.heads) == 10


@pytest.mark.parametrize(("method", "asked"), [("GET", 2), ("POST", 1)])
async def test_a_post_that_was_sent_is_never_sent_again(method: str, asked: int) -> None:
    """Two pods break off without an answer. A GET is sent to both, a POST may have been carried out."""
    async with recorder(silent=True) as one, recorder(silent=True) as two:
        with nginx([one.port, two.port]) as proxy:
            async with client_of(proxy) as client:
                answer = await client.request(method, "/tasks")
        assert code(answer) == (503, "no_pod")
        assert len(one.heads + two.heads) == asked


async def test_where_no_pod_answers_an_event_source_comes_back() -> None:
    """At times that differ; others get 503 with `Retry-After`."""
    with nginx([free_port(), free_port()]) as proxy:
        async with client_of(proxy) as client:
            streams = [await client.get("/tasks/x/stream", headers=EVENT_STREAM) for _ in range(20)]
            plain = await client.get("/tasks")
    for stream in streams:
        assert stream.status_code == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert_passing(stream.content)
    assert len({stream.content for stream in streams}) > 3
    assert code(plain) == (503, "no_pod")
    assert int(plain.headers["retry-after"]) > 0
    assert plain.json()["request_id"] == plain.headers["x-request-id"]


async def test_a_large_body_is_refused_before_any_pod_sees_it(proxied: Proxied) -> None:
    """As a pod would refuse it, from the same size on."""
    largest, too_large = b'"%b"' % (b"x" * (1024**2 - 2)), b'"%b"' % (b"x" * (1024**2 - 1))
    async with client_of(proxied.nginx) as client:
        taken = await client.post("/tasks", content=largest, headers=JSON)
        refused = await client.post("/tasks", content=too_large, headers=JSON)
    direct = await proxied.pods[0].client.post("/tasks", content=too_large, headers=JSON)
    assert code(taken) == (422, "invalid_request")
    assert code(refused) == code(direct) == (413, "too_large")
    assert {**refused.json(), "request_id": ""} == {**direct.json(), "request_id": ""}


async def test_metrics_are_not_for_those_outside(proxied: Proxied) -> None:
    """nginx answers for the pods."""
    async with client_of(proxied.nginx) as client:
        for path in ("/metrics", "/metrics?x=1", "/%6detrics"):
            assert (await client.get(path)).status_code == 404, path
    assert proxied.nginx.requests.count('"pod":""') == 3


async def test_the_log_tells_who_asked_and_no_ticket(proxied: Proxied) -> None:
    """A line of JSON a request, with the id that the pod gave it."""
    async with client_of(proxied.nginx) as client:
        answer = await client.get("/healthz?ticket=secret")
    await wait_until(lambda: "/healthz" in proxied.nginx.requests)
    (line,) = [json.loads(line) for line in proxied.nginx.requests.splitlines() if "/healthz" in line]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["client"], line["method"], line["path"]) == ("127.0.0.1", "GET", "/healthz")
    assert line["pod"] in [pod.url.removeprefix("http://") for pod in proxied.pods]
    assert "secret" not in proxied.nginx.requests


async def test_it_goes_without_waiting_for_streams(proxied: Proxied, grown: Growing) -> None:
    """SIGQUIT, as Compose sends it, ends what is under way in 5 s; clients come back to the next one."""
    async with crowd() as clients:
        clients.append(await ask(proxied.nginx.url, grown.task_id))
        await clients[0].gets(grown.writer.last)
        proxied.nginx.process.send_signal(signal.SIGQUIT)
        await wait_until(lambda: proxied.nginx.process.poll() is not None)
        assert proxied.nginx.process.returncode == 0
        await proxied.without_streams()
