"""The usual way to serve a Redis Stream as server-sent events: FastAPI, sse-starlette, XREAD BLOCK a client.

It is what one writes from the documentation of these three, and written as well as that can be: uvloop and
httptools, hiredis, one client with one pool of connections, reads of up to 1,000 entries, Last-Event-ID
honoured, no access log. It serves Taskreel's own logs, with the same three fields an event.

A client holds a Redis connection for as long as it follows, since a blocking read has one to itself; each
client reads, decodes and encodes every event for itself.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent

from events.keys import Keys
from events.model import TERMINAL

BLOCK_MS = 15_000
COUNT = 1000


def create_app(redis_url: str) -> FastAPI:
    """The application, on the logs of that server."""
    redis: Any = Redis.from_url(redis_url, decode_responses=True)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await redis.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/readyz")
    async def ready() -> bool:  # pyright: ignore[reportUnusedFunction]
        return await redis.ping()

    @app.get("/tasks/{task_id}/stream")
    async def stream(  # pyright: ignore[reportUnusedFunction]
        task_id: str, last_event_id: Annotated[str, Header()] = "0-0"
    ) -> EventSourceResponse:
        return EventSourceResponse(_follow(redis, Keys().log(task_id), last_event_id), sep="\n")

    return app


async def _follow(redis: Any, key: str, position: str) -> AsyncGenerator[ServerSentEvent]:
    """Every event after a position, until the one that seals the log."""
    while True:
        for _, entries in await redis.xread({key: position}, count=COUNT, block=BLOCK_MS):
            for position, fields in entries:
                yield ServerSentEvent(data=fields["event"], event=fields["type"], id=position)
                if fields["type"] in TERMINAL:
                    return


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    given = parser.parse_args()
    uvicorn.run(
        create_app(given.redis_url),
        port=given.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        backlog=4096,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
