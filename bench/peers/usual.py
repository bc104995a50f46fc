"""The usual way as a contender: `bench/peers/usual_app`, on the same logs as the pod."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator

from bench import cores, system
from bench.contenders import Server, to_log


class Usual:
    """FastAPI, sse-starlette and an XREAD BLOCK a client, under uvicorn."""

    name = "the usual way"

    def missing(self) -> str | None:
        """Nothing: its parts are Taskreel's own."""
        return None

    @contextlib.contextmanager
    def serve(self, valkey: int) -> Generator[Server]:
        """One process on the server's core."""
        port = system.free_port()
        command = [sys.executable, "-m", "bench.peers.usual_app", "--port", str(port)]
        with system.process([*command, "--redis-url", system.url(valkey)], cores.SERVER) as pid:
            system.wait_until(lambda: system.is_ready(port), "the usual way is ready")
            yield Server(port, [pid], to_log(valkey))

    def path(self, task_id: str) -> str:
        """The same as a pod's."""
        return f"/tasks/{task_id}/stream"
