"""A worker's sweeper at work, without its worker: it ends what is cancelled, and runs nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from events.append import Appender
from events.background import stop
from events.bells import Bells
from events.queue import Dispatcher
from events.tasks import TaskStore
from worker.sweeper import Sweeper


@contextlib.asynccontextmanager
async def sweeping(tasks: TaskStore, appender: Appender, dispatcher: Dispatcher) -> AsyncGenerator[None]:
    """A sweeper that looks at deadlines and can be rung, while the context lasts."""
    sweeper = Sweeper(tasks, appender, dispatcher, "sweeper")
    bells = Bells(tasks.log.redis, lambda _: sweeper.ring())
    bells.listen(tasks.log.keys.sweep)
    loops = [asyncio.create_task(sweeper.run()), asyncio.create_task(bells.run())]
    try:
        yield
    finally:
        await stop(loops)
