"""The worker process: put together from settings, run until a signal, ended without losing a task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any
from uuid import uuid4

from events.append import Appender
from events.background import stop
from events.bells import Bells
from events.connect import AWAY, connect
from events.graphs import GraphDescriptor, GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.queue import Dispatcher, arq_client
from events.settings import Settings
from events.tasks import TaskStore
from worker.checkpoint import RedisSaver
from worker.graphs import load_graphs
from worker.lease import LeaseKeeper
from worker.queueing import QueueWorker
from worker.run import Runner
from worker.sweeper import Sweeper

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS = 10.0
DRAIN_SECONDS = 5.0


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Raises:
        SettingsError: a graph can't be loaded; the message is one line and names it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings):
        await stop.wait()
        log.info("stopping: handing tasks back")


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker that takes tasks while the context lasts; on leaving, it hands back those it has."""
    keys = Keys(settings.key_prefix)
    redis = connect(settings.redis_url)
    saver = RedisSaver(redis, keys, ttl_seconds=settings.retention_seconds)
    graphs = load_graphs(settings.graphs, saver, settings.pool)
    events = EventLog(redis, keys)
    tasks = TaskStore(events, retention_seconds=settings.retention_seconds)
    queue_url, queue = settings.queue_url or settings.redis_url, keys.queue(settings.pool)
    dispatcher = Dispatcher(redis, keys, arq_client(queue_url, queue, connections=2))
    leases = LeaseKeeper(settings.redis_url, keys, settings.lease_seconds)
    appender = Appender(redis, keys)
    control = Bells(redis, lambda channel: runner.heard(channel))
    runner = Runner(
        name=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:4]}",
        graphs=graphs,
        log=events,
        tasks=tasks,
        appender=appender,
        leases=leases,
        dispatcher=dispatcher,
        directory=GraphDirectory(redis, keys),
        bells=control,
        max_attempts=settings.max_attempts,
    )
    arq = arq_client(queue_url, queue)
    worker = QueueWorker(arq, queue, settings.concurrency, runner.run_task)
    queue_bell = Bells(arq, lambda _: worker.ring())
    queue_bell.listen(keys.queue_bell(settings.pool))
    leases.start()
    background = [
        queue_bell.run(),
        control.run(),
        worker.main(),
        Sweeper(tasks, dispatcher).run(),
        _announce(runner.directory, [graph.descriptor for graph in graphs.values()]),
    ]
    try:
        async with _together(background):
            yield runner
            worker.allow_pick_jobs = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    runner.drain()
                    await worker.finish()
    finally:
        await leases.close()
        await appender.close()
        await dispatcher.close()
        await arq.aclose(close_connection_pool=True)
        await redis.aclose()


@contextlib.asynccontextmanager
async def _together(background: Sequence[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run loops beside the body; if one of them fails, the body is cancelled and the failure raised."""
    async with asyncio.TaskGroup() as group:
        loops = [group.create_task(loop) for loop in background]
        yield
        await stop(loops)


async def _announce(directory: GraphDirectory, descriptors: Sequence[GraphDescriptor]) -> None:
    while True:
        try:
            await directory.announce(descriptors)
        except AWAY as error:
            log.warning("graphs cannot be announced: %s", error)
        await asyncio.sleep(ANNOUNCE_SECONDS)
