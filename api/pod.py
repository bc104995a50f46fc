"""Pod: everything one API process holds. No state of any task: another pod can take over any client."""

from __future__ import annotations

from api.history import History
from api.problems import passing
from api.sse import ChunkCodec
from api.streams import Streams
from api.submit import Submitter
from events.append import Appender
from events.connect import connect
from events.control import TaskControl
from events.graphs import GraphDirectory
from events.index import TaskIndex
from events.keys import Keys
from events.log import EventLog
from events.queue import Dispatcher, arq_client
from events.settings import Settings
from events.tailer import Tailer
from events.tasks import TaskStore


class Pod:
    """The parts of a pod, put together from its settings."""

    def __init__(self, settings: Settings) -> None:
        keys = Keys(settings.key_prefix)
        self.redis = connect(settings.redis_url)
        self.log = EventLog(self.redis, keys)
        self.tasks = TaskStore(self.log, retention_seconds=settings.retention_seconds)
        self.index = TaskIndex(self.log)
        self.history = History(self.log)
        self.graphs = GraphDirectory(self.redis, keys)
        arq = arq_client(settings.queue_url or settings.redis_url, keys.queue("default"), connections=2)
        self.dispatcher = Dispatcher(self.redis, keys, arq)
        self.appender = Appender(self.redis, keys)
        self.control = TaskControl(self.tasks, self.appender, self.dispatcher)
        self.submitter = Submitter(self.tasks, self.graphs, self.dispatcher, max_queued=settings.max_queued)
        self.streams = Streams(
            Tailer(self.log, self.redis, ChunkCodec()),
            self.control,
            heartbeat_seconds=settings.heartbeat_seconds,
            max_streams=settings.max_streams,
        )

    async def start(self) -> None:
        """Begin to serve."""
        await self.streams.start()

    async def close(self) -> None:
        """Let go of everything; streams have ended before."""
        await self.streams.close()
        await self.appender.close()
        await self.dispatcher.close()
        await self.redis.aclose()

    async def check_ready(self) -> None:
        """Raises Problem, 503, while draining; redis's error when the log doesn't answer."""
        if self.streams.draining:
            raise passing("draining", "This pod is going away", "It is draining; another one serves you.")
        await self.redis.ping()
