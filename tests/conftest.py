"""What every test may use: a real Redis, a key prefix of its own, and the parts of the log on it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from hypothesis import HealthCheck
from redis.asyncio import Redis
from uuid_utils import uuid7

from events.append import Appender
from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.queue import Dispatcher, arq_client
from events.settings import Settings
from events.state import Submission
from events.tasks import TaskStore
from events.tenancy import qualify
from tests.support.deployments import CHOICES, Deployment, Kind, deployed, kinds, runs_on
from tests.support.pods import RunningPod, running_pod
from tests.support.sweeping import sweeping

# A loaded machine isn't what is tested, so a draw takes what it takes. `make test` draws the same everywhere,
# so that it fails for whom the change is; `make fuzz` draws at random, and more.
hypothesis.settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "random", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.settings.load_profile(os.environ.get("TASKREEL_DRAWS", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--server`: what the log lies on."""
    parser.addoption("--server", choices=CHOICES, default=Kind.VALKEY, help="what the log lies on")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that has to do with Redis runs on each deployment that is wished for."""
    chosen = _chosen(metafunc.config)
    if "deployment" in metafunc.fixturenames and chosen != [Kind.VALKEY]:
        metafunc.parametrize("deployment", chosen, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what wouldn't tell anything new on a deployment, or can't run there."""
    left_out = [item for item in items if not _fits(item, _chosen(config))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _chosen(config: pytest.Config) -> list[Kind]:
    return kinds(str(config.getoption("--server")))


def _fits(item: pytest.Item, chosen: Sequence[Kind]) -> bool:
    """Whether a test is wished for and makes sense on what it is to run on."""
    its: Any = item
    params: Mapping[str, Any] = its.callspec.params if hasattr(its, "callspec") else {}
    kind: Kind = params.get("deployment", Kind.VALKEY)
    return kind in chosen and runs_on(kind, item.path.stem, its.fixturenames)


@pytest.fixture(autouse=True)
def long_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers remember what they wrote, however long a loaded machine takes until the test loses it."""
    for module in ("events.link", "worker.journal"):
        monkeypatch.setattr(f"{module}.UNSAFE_SECONDS", 600.0)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """What the log lies on, the same for many tests."""
    with deployed(getattr(request, "param", Kind.VALKEY)) as it:
        yield it


@pytest.fixture(scope="session")
def redis_port(deployment: Deployment) -> int:
    """The port of the one server; a test that asks for it runs where there is one."""
    return deployment.port


@pytest.fixture
async def settings(deployment: Deployment) -> AsyncGenerator[Settings]:
    """Settings with a key prefix that no other test has.

    At the end it fails a test that leaves a key without a TTL that belongs to no unfinished task.
    """
    url, queue_url, prefix = deployment.url, deployment.queue_url, f"test-{uuid4().hex[:8]}"
    more: dict[str, Any] = {
        "key_prefix": prefix,
        "lease_seconds": 2,
        "drain_seconds": 0,
        "heartbeat_seconds": 600,  # bytes are compared, also after a long silence
    }
    yield Settings(redis_url=url, queue_url=queue_url, **more)
    stray = [name for its in {url, queue_url or url} for name in await _clear(its, prefix)]
    assert not stray, f"keys without a TTL: {stray}"


async def _clear(url: str, prefix: str) -> list[str]:
    """Delete all that is under the prefix; gives what shouldn't have been left."""
    client = connect(url)
    stray = await _stray_keys(EventLog(client, Keys(prefix)), f"{prefix}:*")
    for name in await client.keys(f"{prefix}:*"):
        await client.delete(name)
    await client.aclose()
    return stray


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """The keys under this test's prefix."""
    return Keys(settings.key_prefix)


@pytest.fixture
async def redis(settings: Settings) -> AsyncGenerator[Redis]:
    """A client as pods and workers have it."""
    client = connect(settings.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def queue(settings: Settings) -> AsyncGenerator[Redis]:
    """A client of the Redis where the queue is."""
    client = connect(settings.queue_url or settings.redis_url)
    yield client
    await client.aclose()


async def _stray_keys(log: EventLog, pattern: str) -> list[str]:
    found: list[bytes] = [name async for name in log.redis.scan_iter(match=pattern)]  # pyright: ignore[reportUnknownVariableType]
    names = [name.decode() for name in found]
    eternal = [name for name in names if await log.redis.ttl(name) == -1]
    return [name for name in eternal if not await _belongs_to_live_task(log, name)]


async def _belongs_to_live_task(log: EventLog, name: str) -> bool:
    if name == log.keys.deadlines or ":queue:" in name:
        return True
    if "{" not in name:
        return False
    tenant = name.split(":")[1]
    task_id = qualify(tenant, name.partition("{")[2].partition("}")[0])
    if name not in (log.keys.log(task_id), log.keys.task(task_id)):
        return False
    last = await log.last(task_id)
    unsettled = await log.redis.zscore(log.keys.deadlines, task_id) is not None
    return unsettled or not (last and last[0].terminal)


@pytest.fixture
def log(redis: Redis, keys: Keys) -> EventLog:
    """The logs under this test's prefix."""
    return EventLog(redis, keys)


@pytest.fixture
def tasks(log: EventLog) -> TaskStore:
    """The task store beside the logs."""
    return TaskStore(log, retention_seconds=60)


@pytest.fixture
async def appender(redis: Redis, keys: Keys) -> AsyncGenerator[Appender]:
    """A process's appender."""
    it = Appender(redis, keys)
    yield it
    await it.close()


@pytest.fixture
async def dispatcher(redis: Redis, keys: Keys, settings: Settings) -> AsyncGenerator[Dispatcher]:
    """A dispatcher on arq's queue."""
    it = Dispatcher(redis, keys, arq_client(settings.queue_url or settings.redis_url, keys.queue("default")))
    yield it
    await it.close()


@pytest.fixture
async def sweeps(tasks: TaskStore, appender: Appender, dispatcher: Dispatcher) -> AsyncGenerator[None]:
    """Some worker's sweeper is at work."""
    async with sweeping(tasks, appender, dispatcher):
        yield


@pytest.fixture
async def task_id(tasks: TaskStore) -> str:
    """A task that was just submitted."""
    new = str(uuid7())
    await tasks.submit(Submission(new, "echo", "default", {}, new, {}, "2026-11-21T00:00:00.000Z"))
    return new


@pytest.fixture
async def pod(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod on a real socket."""
    async with running_pod(settings) as it:
        yield it


@pytest.fixture
async def other_pod(settings: Settings) -> AsyncGenerator[RunningPod]:
    """Another pod of the same system."""
    async with running_pod(settings) as it:
        yield it
