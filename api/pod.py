"""Pod: everything one API process holds. No state of any task: another pod can take over any client."""

from __future__ import annotations

import asyncio

from api.auth.access import Access
from api.auth.identity import Identity
from api.history import History
from api.places import LIFE_SECONDS, StreamPlaces
from api.problems import draining
from api.scrape import SystemGauges
from api.sse import ChunkCodec
from api.streams import Streams
from api.submit import Submitter
from api.throttle import Throttle
from events.background import stop
from events.connect import connect
from events.control import TaskControl
from events.durability import Durability
from events.graphs import GraphDirectory
from events.index import TaskIndex
from events.keys import Keys
from events.log import EventLog
from events.metrics import describe
from events.queue import Dispatcher, arq_client
from events.quotas import StreamQuota, TaskQuota
from events.settings import Settings
from events.tailer import Tailer
from events.tasks import TaskStore


class Pod:
    """The parts of a pod, put together from its settings."""

    def __init__(self, settings: Settings) -> None:
        keys = Keys(settings.key_prefix)
        self.access_log = settings.access_log
        self.redis = connect(settings.redis_url)
        durability = Durability(settings.durability, settings.durability_replicas)
        self.log = EventLog(self.redis, keys, durability)
        self.tasks = TaskStore(
            self.log, retention_seconds=settings.retention_seconds, redactor=settings.redactor
        )
        self.index = TaskIndex(self.log)
        self.history = History(self.log)
        self.graphs = GraphDirectory(self.redis, keys)
        arq = arq_client(settings.queue_url or settings.redis_url, keys.queue("default"), connections=2)
        self.dispatcher = Dispatcher(self.redis, keys, arq)
        self.control = TaskControl(self.tasks, self.dispatcher)
        self.throttle = Throttle(
            self.log,
            TaskQuota(self.log),
            submits_per_minute=settings.submits_per_minute,
            max_unfinished=settings.max_unfinished,
        )
        self.submitter = Submitter(
            self.tasks, self.graphs, self.dispatcher, self.throttle, max_queued=settings.max_queued
        )
        self.gauges = SystemGauges(self.redis, self.graphs, self.dispatcher)
        self._following: list[asyncio.Task[None]] = []
        self.access = Access(self.tasks)
        self.identity = Identity(settings, self.redis, keys)
        self.streams = Streams(
            Tailer(self.log, self.redis, ChunkCodec()),
            self.control,
            self.identity.watch,
            StreamPlaces(
                StreamQuota(self.redis, keys, life_seconds=LIFE_SECONDS),
                limit=settings.max_streams_per_principal,
            ),
            heartbeat_seconds=settings.heartbeat_seconds,
            max_streams=settings.max_streams,
        )

    async def start(self) -> None:
        """Begin to serve."""
        describe("api")
        await self.streams.start()
        self._following = [asyncio.create_task(loop, name="identity") for loop in self.identity.loops()]

    async def close(self) -> None:
        """Let go of everything; streams have ended before."""
        await stop(self._following)
        await self.streams.close()
        await self.dispatcher.close()
        await self.redis.aclose()

    async def check_ready(self) -> None:
        """Raises Problem, 503, while draining; redis's error when the log doesn't answer."""
        if self.streams.draining:
            raise draining()
        await self.redis.ping()
