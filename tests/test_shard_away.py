"""What lies beside a log lies on other servers of a Cluster: one that fails loses sight of no task."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from redis.exceptions import RedisError
from uuid_utils import uuid7

from events.connect import connect
from events.hints import hints_key
from events.index import TaskIndex, Wanted
from events.keys import Keys
from events.log import EventLog
from events.model import Status
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import DEFAULT
from tests.support.cluster import Cluster, cluster
from tests.support.logs import SUCCEEDED, plant

DONE = Wanted(DEFAULT, status=Status.SUCCEEDED)


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """Three primaries, each with a replica; each test leaves them settled."""
    with cluster() as it:
        yield it


@dataclass(frozen=True)
class Apart:
    """A task whose log, deadline and place in the list of those that have succeeded are on three servers.

    Attributes:
        servers: the Cluster.
        tasks: the store.
        task_id: the task, not submitted yet.
    """

    servers: Cluster
    tasks: TaskStore
    task_id: str

    @property
    def keys(self) -> Keys:
        """The names of all keys."""
        return self.tasks.log.keys

    @property
    def listed(self) -> str:
        """The key of the list of those that have succeeded."""
        return hints_key(self.keys, DEFAULT, Status.SUCCEEDED, None)

    async def submit(self) -> None:
        """Make the task."""
        created_at = "2026-11-21T00:00:00.000Z"
        await self.tasks.submit(Submission(self.task_id, "echo", "default", {}, self.task_id, {}, created_at))

    async def found(self) -> list[str]:
        """The tasks that are listed as having succeeded."""
        states, _ = await TaskIndex(self.tasks.log).list(DONE, limit=10)
        return [state.task_id for state in states]

    async def deadline(self) -> float | None:
        """When a sweeper looks after the task."""
        return await self.tasks.log.redis.zscore(self.keys.deadlines, self.task_id)

    @contextlib.asynccontextmanager
    async def without(self, key: str) -> AsyncGenerator[None]:
        """Without the server of that key, until a replica has its place; afterwards all is as before."""
        primary = self.servers.owner_of(key)
        (replica,) = self.servers.replicas_of(primary)
        replica.freeze()
        await self.servers.kill(primary)
        yield
        replica.thaw()
        await self.servers.successor(primary)
        await self.servers.restart(primary)
        await self.servers.failover(replica)


@pytest.fixture
async def apart(servers: Cluster) -> AsyncGenerator[Apart]:
    """Such a task."""
    client = connect(servers.url)
    while True:
        tasks = TaskStore(EventLog(client, Keys(f"test-{uuid4().hex[:8]}")), retention_seconds=60)
        it = Apart(servers, tasks, str(uuid7()))
        keys = (it.keys.log(it.task_id), it.keys.deadlines, it.listed)
        if len({servers.owner_of(key).name for key in keys}) == len(keys):
            break
    yield it
    await client.aclose()


async def test_a_task_that_could_not_be_listed_keeps_its_deadline(apart: Apart) -> None:
    """Whoever settles it hears of it, and a sweeper does it again."""
    await apart.submit()
    await plant(apart.tasks.log, apart.task_id, ["1-2"], SUCCEEDED)
    async with apart.without(apart.listed):
        with pytest.raises(RedisError):
            await apart.tasks.settle(apart.task_id)
        assert await apart.deadline() is not None
    await apart.tasks.settle(apart.task_id)
    assert await apart.deadline() is None
    assert await apart.found() == [apart.task_id]


async def test_a_submit_without_the_deadlines_makes_no_log(apart: Apart) -> None:
    """Nobody would look after it; the same submit may be sent again."""
    async with apart.without(apart.keys.deadlines):
        with pytest.raises(RedisError):
            await apart.submit()
        assert not await apart.tasks.exists(apart.task_id)
    await apart.submit()
    assert await apart.deadline() is not None
