"""Servers inside a test: once one is left, it serves nothing, and each of its connections is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from events.background import stop

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve, port: int = 0, **options: Any) -> AsyncGenerator[asyncio.Server]:
    """Serve each connection to a port of this machine's, 0 for a free one.

    asyncio leaves a connection open whose serving was cancelled, or never began, as may be when a test ends.
    """
    serving = dict[asyncio.Task[None], asyncio.StreamWriter]()

    def ended(task: asyncio.Task[None]) -> None:
        serving.pop(task).close()
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "serving failed", "exception": error})

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        serving[task] = writer
        task.add_done_callback(ended)

    server = await asyncio.start_server(accept, "127.0.0.1", port, **options)
    try:
        yield server
    finally:
        server.close()
        await stop(list(serving))
        await asyncio.sleep(0)  # what was closed is gone at the loop's next turn


def port_of(server: asyncio.Server) -> int:
    """Where it listens."""
    return server.sockets[0].getsockname()[1]
