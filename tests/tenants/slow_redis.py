"""A Redis whose replies come late, as over a network."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator

from tests.support.listening import listening, port_of
from tests.support.waiting import wait_until


@contextlib.asynccontextmanager
async def slow_redis(port: int) -> AsyncGenerator[str]:
    """A way to Redis on which replies are late by a few turns; gives its URL.

    On loopback a reply is there before anybody can ask for the next one. Then a connection with a reply too
    many is found out, and it's luck that it does no harm.
    """
    writers: set[asyncio.StreamWriter] = set()

    async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        replies, commands = await asyncio.open_connection("127.0.0.1", port)
        ends = {back, commands}
        writers.update(ends)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_forward(client, commands, 1))
                group.create_task(_forward(replies, back, 12))
        except* OSError:
            pass
        finally:
            for writer in ends:
                writer.close()
            writers.difference_update(ends)

    async with listening(serve) as server:
        try:
            yield f"redis://127.0.0.1:{port_of(server)}/0"
        finally:
            for writer in writers:
                writer.transport.abort()
            await wait_until(lambda: not writers)


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter, most: int) -> None:
    while data := await source.read(65536):
        await _turns(random.randrange(most))
        target.write(data)
    target.close()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
