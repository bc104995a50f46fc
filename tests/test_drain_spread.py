"""How a pod's streams end when it goes away: one after the other, with nobody let in meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator
from typing import Any, cast

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.edge.admission import Admission
from api.edge.limits import carried, needed_files
from api.edge.server import PodServer
from events.log import EventLog
from events.settings import Settings
from tests.support.logs import ids, plant
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until
from tests.support.wire import after_retry, assert_farewell, listen

STREAMS = 5
FAR = 600.0
"""Seconds that no test waits for."""


@contextlib.asynccontextmanager
async def going_pod(settings: Settings) -> AsyncGenerator[tuple[RunningPod, PodServer]]:
    """A pod with the server that `taskreel api` has, in this process; the signals are the test's to send."""
    app, admission = create_app(settings), Admission(carried(needed_files(100), 100))
    config = uvicorn.Config(app, port=0, log_level="error", http=admission.protocol, ws="none")
    server = PodServer(config, app.pod.streams, admission, drain_seconds=0)
    cast("Any", server).capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve())
    await wait_until(lambda: server.started)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        try:
            yield RunningPod(url, app.pod, client), server
        finally:
            server.handle_exit(signal.SIGTERM, None)
            server.force_exit = True
            await serving


async def test_streams_end_one_after_the_other(
    settings: Settings, log: EventLog, task_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are served on, newcomers find a closed door, and a second signal ends the rest at once."""
    monkeypatch.setattr("api.edge.server.SPREAD_SECONDS", FAR)
    monkeypatch.setattr("api.edge.server.ENDS_PER_SECOND", STREAMS / FAR)
    async with going_pod(settings) as (pod, server), contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(listen(pod, task_id)) for _ in range(STREAMS)]
        for wire in wires:
            await wire.until(b"id: 0-1\n")
        server.handle_exit(signal.SIGTERM, None)
        await wait_until(lambda: len(pod.pod.streams) == STREAMS - 1)
        with pytest.raises(httpx.ConnectError):
            await pod.client.get("/healthz")
        await plant(log, task_id, ids("1-2", "1-3"))
        rests = [asyncio.create_task(wire.rest()) for wire in wires]
        await wait_until(lambda: sum(b"id: 1-3\n" in wire.body for wire in wires) == STREAMS - 1)
        assert len(pod.pod.streams) == STREAMS - 1
        await wait_until(lambda: _again(server))
        bodies = await asyncio.gather(*rests)
    for body in bodies:
        assert after_retry(body[: body.rindex(b"retry: ")])
        assert_farewell(body[body.rindex(b"retry: ") :])


async def test_all_streams_end_in_the_end(settings: Settings, task_id: str) -> None:
    """Each with its farewell, without anybody's help."""
    async with going_pod(settings) as (pod, server), contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(listen(pod, task_id)) for _ in range(STREAMS)]
        for wire in wires:
            await wire.until(b"id: 0-1\n")
        server.handle_exit(signal.SIGTERM, None)
        for wire in wires:
            body = await wire.rest()
            assert_farewell(body[body.rindex(b"retry: ") :])


def _again(server: PodServer) -> bool:
    """Signal until it isn't taken for the first signal any more."""
    server.handle_exit(signal.SIGTERM, None)
    return server.force_exit
