"""A worker's port for scrapers and probes: who gets in, what is alive, and what can't be listened on."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from events.connect import connect
from events.scraping import ScraperToken
from events.settings import Auth, Settings
from tests.support.metrics import scraped
from tests.support.pods import RunningPod
from tests.support.proxy import gate
from tests.support.server import free_port
from tests.support.sockets import answer, begin
from tests.support.stubborn_graphs import noted
from tests.support.system import command
from tests.support.tasks import until_status
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from worker.scrape import Health, Listener, listening

TOKEN = "only-a-scraper-has-it"


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    """A client of listeners."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as it:
        yield it


@contextmanager
def listener(settings: Settings, health: Health, host: str = "127.0.0.1") -> Generator[str]:
    """A listener on a free port; gives its URL."""
    port = free_port()
    with Listener(host, port, ScraperToken(settings, host), health) as it:
        thread = threading.Thread(target=it.serve_forever, args=[0.01])
        thread.start()
        yield f"http://{'[::1]' if ':' in host else '127.0.0.1'}:{port}"
        it.shutdown()
        thread.join()


async def test_a_worker_whose_loop_is_blocked_still_answers(
    settings: Settings, pod: RunningPod, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """A node that lets nothing else run is no reason to kill the worker, but it can be seen."""
    port, record = free_port(), tmp_path / "record"
    async with worker_process(settings, tmp_path, metrics_port=port) as worker:
        url = f"http://127.0.0.1:{port}"
        assert (await client.get(f"{url}/healthz")).json()["status"] == "alive"
        assert (await client.head(f"{url}/healthz")).headers["Content-Length"] > "0"
        files = {"until": str(tmp_path / "until"), "record": str(record)}
        task_id = await pod.submit("blocking", input=files)
        await wait_until(lambda: noted(record) == ["start block"])

        async def stands_still() -> bool:
            report = await client.get(f"{url}/healthz")
            assert (report.status_code, report.json()["status"]) == (200, "alive")
            return report.json()["loop_turned_seconds_ago"] > 1.5

        await wait_until(stands_still)
        assert (await scraped(url))["taskreel_running_tasks", frozenset()] == 1
        (tmp_path / "until").touch()
        await until_status(pod, task_id, "succeeded")
        done = frozenset({("graph", "blocking"), ("outcome", "succeeded")})

        async def counted() -> bool:  # a moment after it has ended
            return (await scraped(url)).get(("taskreel_attempts_total", done)) == 1

        await wait_until(counted)
        assert (await scraped(url))["taskreel_log_up", frozenset()] == 1
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0


async def test_a_worker_that_has_stood_still_for_too_long_is_stuck(
    settings: Settings, redis: Redis, client: httpx.AsyncClient
) -> None:
    """503, with how long it is; and alive again when it turns."""
    health = Health(redis, loop_seconds=0.5)
    with listener(settings, health) as url:
        await wait_until(lambda: not health.report()[0])
        report = await client.get(f"{url}/healthz")
        assert (report.status_code, report.json()["status"]) == (503, "stuck")
        assert report.json()["loop_turned_seconds_ago"] >= 0.5
        assert report.headers["content-type"] == "application/json"
        beating = asyncio.create_task(health.run())
        await wait_until(lambda: health.report()[0])
        beating.cancel()


async def test_a_worker_that_hears_nothing_of_redis_for_too_long_is_stuck(
    settings: Settings, redis_port: int, client: httpx.AsyncClient
) -> None:
    """Its loop turns all the while; the metrics say that the log is away."""
    async with gate(redis_port) as through:
        redis = connect(through.url)
        health = Health(redis, redis_seconds=2.5)
        with listener(settings, health) as url:
            beating = asyncio.create_task(health.run())
            await wait_until(lambda: _is_up(url, 1))
            through.close()
            await wait_until(lambda: not health.report()[0])
            assert (await client.get(f"{url}/healthz")).status_code == 503
            assert await _is_up(url, 0)
            through.shut = False
            await wait_until(lambda: health.report()[0])
            beating.cancel()
        await redis.aclose()


async def _is_up(url: str, value: float) -> bool:
    return (await scraped(url))["taskreel_log_up", frozenset()] == value


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
async def test_the_metrics_are_for_who_has_the_token(
    settings: Settings, redis: Redis, client: httpx.AsyncClient, host: str
) -> None:
    """Probes need none; a wrong one is a 401, and nothing of the request comes back."""
    with listener(settings.model_copy(update={"metrics_token": TOKEN}), Health(redis), host) as url:
        assert (await client.get(f"{url}/healthz")).status_code == 200
        for wrong in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer CANARY\xfc"):
            refused = await client.get(f"{url}/metrics", headers={b"Authorization": wrong.encode("latin-1")})
            assert (refused.status_code, refused.text) == (401, "Unauthorized\n"), wrong
            assert refused.headers["www-authenticate"] == 'Bearer realm="taskreel"'
        assert await scraped(url, Authorization=f"Bearer {TOKEN}")
        openmetrics = {"Accept": "application/openmetrics-text", "Authorization": f"Bearer {TOKEN}"}
        assert (await client.get(f"{url}/metrics", headers=openmetrics)).text.endswith("# EOF\n")
        for path in ("/", "/metricsx", "/CANARY", "/healthz/"):
            missing = await client.get(url + path)
            assert (missing.status_code, missing.text) == (404, "Not Found\n")
        assert (await client.post(f"{url}/CANARY")).status_code == 501


@pytest.mark.parametrize(
    ("host", "auth", "status"),
    [("127.0.0.1", Auth.OFF, 200), ("0.0.0.0", Auth.OFF, 404), ("127.0.0.1", Auth.KEYS, 404)],
)
async def test_without_a_token_only_this_machine_gets_them(
    settings: Settings, redis: Redis, client: httpx.AsyncClient, host: str, auth: Auth, status: int
) -> None:
    """And not where requests need a credential; probes are answered all the same."""
    with listener(settings.model_copy(update={"auth": auth}), Health(redis), host) as url:
        assert (await client.get(f"{url}/metrics")).status_code == status
        if status == 200:  # else a foreign page could have its own name resolved to this machine
            for name, due in {"localhost": 200, "[::1]:9464": 200, "evil.example.com": 421, "": 421}.items():
                asked = await client.get(f"{url}/metrics", headers={"Host": name})
                assert asked.status_code == due, name
        assert (await client.get(f"{url}/healthz")).status_code == 200


async def test_a_client_that_says_nothing_holds_nobody_up(
    settings: Settings, redis: Redis, client: httpx.AsyncClient
) -> None:
    """Each has a thread of its own; garbage is refused."""
    with listener(settings, Health(redis)) as url:
        silent = [await begin(url, b"GET /heal") for _ in range(5)]
        assert (await client.get(f"{url}/healthz")).status_code == 200
        assert b" 400 " in await answer(url, b"\x00\xff\r\n\r\n")
        for it in silent:
            await it.leave()


async def test_a_port_that_is_taken_is_told_in_one_line(settings: Settings, tmp_path: Path) -> None:
    """The worker ends with the status of a wrong setting, and says which it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *command("worker", "--metrics-port", str(port)),
            env={
                "TASKREEL_REDIS_URL": settings.redis_url,
                "TASKREEL_KEY_PREFIX": settings.key_prefix,
                "TASKREEL_GRAPHS": "counting=tests.support.graphs:counting",
            },
            stderr=asyncio.subprocess.PIPE,
        )
        said = (await process.communicate())[1].decode()
    assert process.returncode == 2
    (line,) = [line for line in said.splitlines() if "METRICS_PORT" in line]
    expected = f"TASKREEL_METRICS_PORT={port} on 127.0.0.1 can't be listened on: Address already in use."
    assert expected in line


async def test_without_a_port_nothing_listens(settings: Settings, redis: Redis) -> None:
    """That is how `taskreel up` runs its workers, of which there may be several."""
    before = threading.active_count()
    async with listening(settings, redis):
        assert threading.active_count() == before
    began = time.monotonic()
    async with listening(settings.model_copy(update={"metrics_port": free_port()}), redis):
        assert threading.active_count() > before
    await wait_until(lambda: threading.active_count() == before)
    assert began < time.monotonic()
