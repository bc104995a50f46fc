"""A server with our users, and a pod and a worker that are theirs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from events.connect import connect
from tests.redis.servers import guarded_server
from tests.redis.users import settings_of
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_pod, running_worker
from tests.support.server import Server


@pytest.fixture(autouse=True)
def look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a look at a Redis that is away from going on, in a thread, for as long as other tests run.

    What it does is seen where a process of its own does it.
    """

    def never(*_: object) -> None:
        pass

    monkeypatch.setattr("events.preflight._check_later", never)


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server with our users."""
    with guarded_server(request.param, tmp_path) as it:
        yield it


@pytest.fixture
async def admin(server: Server) -> AsyncGenerator[Any]:
    """Who may do all."""
    client = connect(server.url("admin"))
    yield client
    await client.aclose()


@pytest.fixture
async def pod(server: Server) -> AsyncGenerator[RunningPod]:
    """A pod as `api`."""
    async with running_pod(settings_of(server, "api")) as it:
        yield it


@pytest.fixture
async def worker(server: Server) -> AsyncGenerator[None]:
    """A worker as `worker`."""
    async with running_worker(settings_of(server, "worker"), SPECS):
        yield
