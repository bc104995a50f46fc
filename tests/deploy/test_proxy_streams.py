"""Streams through the real nginx of deploy/nginx: as they come, whole, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import contextlib
import json
import re

import httpx
import pytest
from redis.asyncio import Redis

from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.deploy.proxied import HTTP_1, HTTP_2, Proxied, curl, port_of
from tests.support.clients import ask, crowd
from tests.support.followers import Follower
from tests.support.growing import Growing
from tests.support.http import ECHO
from tests.support.logs import frames
from tests.support.nginx import nginx
from tests.support.pods import RunningPod, running_pod
from tests.support.waiting import wait_until
from tests.support.wire import after_retry

BOTH = pytest.mark.parametrize("version", [HTTP_1, HTTP_2])
EVENT = re.compile(rb"id: [^\n]+\nevent: [^\n]+\ndata: [^\n]+\n\n")


@pytest.fixture
async def announced(redis: Redis, keys: Keys) -> None:
    """Some worker has announced a graph."""
    await GraphDirectory(redis, keys).announce([ECHO])


@BOTH
async def test_each_event_arrives_before_the_next_is_made(
    proxied: Proxied, grown: Growing, version: str
) -> None:
    """Nothing is held back until a buffer is full, over 200 events, for a client that takes compression."""
    compressed = ("-H", "Accept-Encoding: gzip")
    async with curl(proxied.nginx, version, f"/tasks/{grown.task_id}/stream", *compressed) as client:
        for _ in range(200):
            await grown.burst(1)
            await client.until(b"id: %b\n" % str(grown.writer.last).encode())
        await grown.seal()
        body = await client.rest()
    assert after_retry(body) == frames(await grown.whole())


@BOTH
async def test_a_client_goes_on_at_another_pod(
    settings: Settings, pod: RunningPod, grown: Growing, version: str
) -> None:
    """The pod that has its stream goes away; with its cursor it misses nothing and gets nothing twice."""
    path, leaving = f"/tasks/{grown.task_id}/stream", contextlib.AsyncExitStack()
    other = await leaving.enter_async_context(running_pod(settings))
    with nginx([port_of(pod), port_of(other)]) as proxy:
        async with curl(proxy, version, path) as before, curl(proxy, version, path) as beside:
            await wait_until(lambda: (len(pod.pod.streams), len(other.pod.streams)) == (1, 1))
            await grown.burst(10)
            for client in (before, beside):
                await client.until(b"id: %b\n" % str(grown.writer.last).encode())
            await leaving.aclose()
            await wait_until(
                lambda: before.process.returncode is not None or beside.process.returncode is not None
            )
            await grown.burst(10)
            await grown.seal()
            bodies = [await before.rest(), await beside.rest()]
        whole = await grown.whole()
        cut, uncut = sorted((b"".join(EVENT.findall(body)) for body in bodies), key=len)
        assert uncut == frames(whole)
        last = re.findall(rb"id: (\S+)", cut)[-1].decode()
        async with curl(proxy, version, path, "-H", f"Last-Event-ID: {last}") as after:
            assert cut + after_retry(await after.rest()) == frames(whole)


@pytest.mark.usefixtures("announced")
@BOTH
async def test_a_submit_is_answered_with_its_stream(proxied: Proxied, version: str) -> None:
    """The POST's own answer comes as it's made, too."""
    asked = ["-H", "Accept: text/event-stream", "-H", "Content-Type: application/json"]
    async with curl(proxied.nginx, version, "/tasks", *asked, "-d", '{"graph": "echo"}') as client:
        assert b"event: task.submitted\n" in await client.until(b"\ndata: ")
        assert proxied.streams == 1


@pytest.mark.usefixtures("announced", "sweeps")
@BOTH
async def test_a_client_that_leaves_takes_its_task_along_if_it_said_so(
    proxied: Proxied, version: str
) -> None:
    """nginx tells the pod at once that the client has gone, and keeps no stream open for nobody."""
    task_id = await proxied.pods[0].submit("echo")
    asked = f"/tasks/{task_id}/stream?on_disconnect=cancel"
    async with curl(proxied.nginx, version, asked) as client:
        await client.until(b"event: task.submitted\n")
    await proxied.without_streams()

    async def cancelled() -> bool:
        answer = await proxied.pods[1].client.get(f"/tasks/{task_id}")
        return answer.json()["status"] == "cancelled"

    await wait_until(cancelled)


@pytest.mark.parametrize(("heartbeat", "stays"), [(0.2, True), (600, False)])
async def test_heartbeats_keep_an_idle_stream_open(
    settings: Settings, grown: Growing, heartbeat: float, stays: bool
) -> None:
    """nginx's 60 s of silence, here one second, are never reached by a stream that has heartbeats."""
    beating = settings.model_copy(update={"heartbeat_seconds": heartbeat})
    async with running_pod(beating) as pod:
        with nginx([port_of(pod)], {"proxy_read_timeout 60s": "proxy_read_timeout 1s"}) as proxy:
            async with crowd() as clients:
                client = await ask(proxy.url, grown.task_id)
                clients.append(client)
                await wait_until(lambda: client.over.is_set() or client.body.count(b": hb\n\n") >= 20)
                assert client.over.is_set() is not stays


async def test_a_slow_client_is_cut_off_at_the_pod_and_burdens_nobody(
    proxied: Proxied, grown: Growing
) -> None:
    """nginx keeps nothing for it: the pod notices, others get all meanwhile, and it resumes by its cursor."""
    async with crowd() as clients:
        clients += [
            await ask(proxied.nginx.url, grown.task_id),
            await ask(proxied.nginx.url, grown.task_id, window=4096),
        ]
        clients[1].stop_reading()
        await wait_until(lambda: proxied.streams == 2)
        while not any(pod.pod.streams.slow_clients for pod in proxied.pods):
            await grown.burst(1, large=True)
            await clients[0].gets(grown.writer.last)
        await grown.seal()
        clients[1].read_on()
        await clients[0].over.wait()
        await clients[1].over.wait()
    whole = await grown.whole()
    assert after_retry(bytes(clients[0].body)) == frames(whole)
    again = Follower()
    again.take(bytes(clients[1].body))
    assert len(again.held) < len(whole)
    await again.follow(proxied.nginx.url, task_id=grown.task_id)
    assert again.held == whole


async def test_a_stream_is_never_compressed_and_the_console_is(proxied: Proxied, grown: Growing) -> None:
    """Whoever offers to take gzip gets the page's scripts so, and the stream as it is."""
    await grown.seal()
    offered = {"Accept-Encoding": "gzip"}
    async with httpx.AsyncClient(
        base_url=proxied.nginx.url, headers=offered, trust_env=False, timeout=30
    ) as client:
        stream = await client.get(f"/tasks/{grown.task_id}/stream")
        script = await client.get("/console/main.js")
    assert (stream.status_code, stream.headers.get("content-encoding")) == (200, None)
    assert (script.status_code, script.headers.get("content-encoding")) == (200, "gzip")


async def test_a_history_of_lines_passes_whole(proxied: Proxied, grown: Growing) -> None:
    """NDJSON of some hundred kilobytes, over HTTP/2."""
    await grown.burst(300, large=True)
    await grown.seal()
    lines = ("-H", "Accept: application/x-ndjson")
    async with curl(proxied.nginx, HTTP_2, f"/tasks/{grown.task_id}/events", *lines) as client:
        seqs = [json.loads(line)["seq"] for line in (await client.rest()).splitlines()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) == len(await grown.whole())
