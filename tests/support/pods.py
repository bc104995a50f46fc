"""Pods and workers inside a test: real sockets, the real server, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
import uvicorn
from httpx_sse import ServerSentEvent, aconnect_sse

from api.app import Entrance, create_app
from api.edge.admission import Admission
from api.edge.limits import carried, needed_files
from api.pod import Pod
from events.settings import Settings
from tests.support.waiting import wait_until
from worker.main import running
from worker.run import Runner


@dataclass(frozen=True)
class RunningPod:
    """A pod that listens."""

    url: str
    pod: Pod
    client: httpx.AsyncClient

    async def submit(self, graph: str, **body: Any) -> str:
        """Submit a task; gives its id."""
        answer = await self.client.post("/tasks", json={"graph": graph, **body})
        assert answer.status_code == 202, answer.text
        return answer.json()["task_id"]

    async def stream(
        self, task_id: str, after: str | None = None, most: int | None = None
    ) -> list[ServerSentEvent]:
        """The events of one connection: until the server ends it, or so many have come."""
        headers = {} if after is None else {"Last-Event-ID": after}
        found: list[ServerSentEvent] = []
        async with aconnect_sse(self.client, "GET", f"/tasks/{task_id}/stream", headers=headers) as source:
            if source.response.status_code == 204:
                return []
            async with contextlib.aclosing(source.aiter_sse()) as events:
                async for event in events:
                    if event.event != "message":
                        found.append(event)
                    if most is not None and len(found) >= most:
                        break
        return found

    async def raw(self, task_id: str, after: str | None = None) -> bytes:
        """The bytes of one connection's body."""
        headers = {} if after is None else {"Last-Event-ID": after}
        answer = await self.client.get(f"/tasks/{task_id}/stream", headers=headers)
        return answer.content


@contextlib.asynccontextmanager
async def running_pod(
    settings: Settings, send_buffer: int | None = None, admission: Admission | None = None
) -> AsyncGenerator[RunningPod]:
    """A pod on a free port; its sockets' send buffers can be made small, so that they are soon full."""
    streams = settings.max_streams
    admission = admission or Admission(carried(needed_files(streams), streams))
    app = create_app(settings)
    assert isinstance(app, Entrance)
    listening = socket.create_server(("127.0.0.1", 0))
    # asyncio does so by itself only where the socket names TCP; without it each answer waits for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if send_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    config = uvicorn.Config(
        app,
        log_level="error",
        http=admission.protocol,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,  # over the 5 s after which httpx drops an idle connection: else they race
    )
    server = uvicorn.Server(config)
    cast("Any", server).capture_signals = contextlib.nullcontext  # the signals are pytest's
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await wait_until(lambda: server.started)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        try:
            yield RunningPod(url, app.pod, client)
        finally:
            app.pod.streams.drain()
            server.should_exit = True
            await serving


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, specs: Sequence[str]) -> AsyncGenerator[Runner]:
    """A worker that serves those graphs and has announced them."""
    async with running(settings.model_copy(update={"graphs": list(specs)})) as runner:
        await wait_until(lambda: _announced(runner))
        yield runner


async def _announced(runner: Runner) -> bool:
    return all([await runner.directory.get(name) is not None for name in runner.graphs])
