"""The worker process: put together from settings, run until a signal, ended without losing a task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from types import FrameType
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from events.append import Appender
from events.background import stop
from events.bells import Bells
from events.connect import AWAY, connect
from events.durability import Durability
from events.graphs import GraphDescriptor, GraphDirectory
from events.keys import Keys
from events.log import EventLog
from events.logfields import always
from events.queue import Dispatcher, arq_client
from events.routes import routes
from events.settings import Settings
from events.tasks import TaskStore
from worker import metrics
from worker.abandonment import Abandonment
from worker.ending import Ending
from worker.execution import HAND_BACK_SECONDS
from worker.graphs import load_graphs
from worker.journal import Journal
from worker.lease import LeaseKeeper
from worker.leaving import leave, leave_within, node_threads
from worker.queueing import QueueWorker
from worker.reconciler import Reconciler
from worker.run import Limits, Runner
from worker.savers import Saver, open_saver
from worker.scrape import listening
from worker.sweeper import Sweeper

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS = 10.0

HANDING_BACK_SECONDS = 5.0
"""What a worker has to hand its tasks back once their graphs have stopped; Redis may be away just then."""

SLACK_SECONDS = 2.0
"""What a drained worker has to close everything, before its process is ended."""

EXIT_SECONDS = 10.0
"""What the interpreter has to end, whatever ended the worker."""


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; a second one cuts short what nodes have to finish.

    Raises:
        SettingsError: a graph can't be loaded; the message is one line and names it.
    """
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    threads = node_threads(settings.concurrency)
    loop.set_default_executor(threads)

    def first() -> None:
        leave_within(_drain_limit(settings) + SLACK_SECONDS)
        loop.call_soon_threadsafe(signalled.set)

    _on_signal(first)
    try:
        async with running(settings) as runner:
            await signalled.wait()
            log.info("stopping: handing tasks back")
            _on_signal(lambda: loop.call_soon_threadsafe(runner.drain, 0.0))
    finally:
        _on_signal(lambda: None)
        leave_within(EXIT_SECONDS)
    await leave(threads)


def _on_signal(do: Callable[[], object]) -> None:
    """Python's own handlers, since those of asyncio are called by the loop, which a node may block."""

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        do()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _drain_limit(settings: Settings) -> float:
    return settings.drain_seconds + HAND_BACK_SECONDS + HANDING_BACK_SECONDS


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker that takes tasks while the context lasts; on leaving, it hands back those it has."""
    keys, journal = Keys(settings.key_prefix), Journal()
    redis = connect(settings.redis_url, connected=journal.redo)
    journal.follow(routes(redis))
    try:
        async with (
            listening(settings, redis),
            open_saver(settings, redis, keys, journal) as saver,
            _running(settings, redis, keys, saver) as runner,
        ):
            yield runner
    finally:
        await redis.aclose()


@contextlib.asynccontextmanager
async def _running(settings: Settings, redis: Redis, keys: Keys, saver: Saver) -> AsyncGenerator[Runner]:
    graphs = load_graphs(settings.graphs, saver, settings.pool)
    metrics.begin(graphs, settings.concurrency)
    durability = Durability(settings.durability, settings.durability_replicas)
    events = EventLog(redis, keys, durability)
    tasks = TaskStore(events, retention_seconds=settings.retention_seconds)
    queue_url, queue = settings.queue_url or settings.redis_url, keys.queue(settings.pool)
    dispatcher = Dispatcher(redis, keys, arq_client(queue_url, queue, connections=2))
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:4]}"
    always(worker=name)
    abandonment = Abandonment(
        settings.redis_url,
        keys,
        settings.retention_seconds,
        settings.task_timeout_seconds,
        name,
        durability,
    )
    leases = LeaseKeeper(abandonment, settings.lease_seconds, settings.stop_seconds)
    appender = Appender(redis, keys, settings.redactor, durability)
    sweeper = Sweeper(tasks, appender, dispatcher, name)
    control = Bells(redis, lambda channel: sweeper.ring() if channel == keys.sweep else runner.heard(channel))
    control.listen(keys.sweep)
    runner = Runner(
        name=name,
        graphs=graphs,
        log=events,
        tasks=tasks,
        appender=appender,
        leases=leases,
        ending=Ending(tasks, leases, dispatcher),
        directory=GraphDirectory(redis, keys),
        bells=control,
        limits=Limits(settings.max_attempts, settings.task_timeout_seconds, settings.stop_seconds),
    )
    arq = arq_client(queue_url, queue)
    worker = QueueWorker(arq, queue, settings.concurrency, runner.run_task)
    queue_bell = Bells(arq, lambda _: worker.ring())
    queue_bell.listen(keys.queue_bell(settings.pool))
    leases.start()
    background = [
        queue_bell.run(),
        control.run(),
        sweeper.run(),
        Reconciler(tasks).run(),
        _announce(runner.directory, [graph.descriptor for graph in graphs.values()]),
    ]
    try:
        async with _together(background):
            async with _together([worker.main()]):
                yield runner
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_drain_limit(settings)):
                    runner.drain(settings.drain_seconds)
                    await worker.finish()
    finally:
        always(worker="")
        await leases.close()
        await appender.close()
        await dispatcher.close()
        await arq.aclose(close_connection_pool=True)


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
