"""Pods of a special kind: one that gives little time, and one whose Redis counts what it's asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

import pytest

from api.edge.admission import Admission
from api.edge.limits import Limits, RequestLimits
from events.connect import connect
from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.support.http import ECHO
from tests.support.pods import RunningPod, running_pod
from tests.support.server import valkey
from tests.support.touches import Touches

PLACES = Limits(streams=100, connections=189)


@pytest.fixture
def admission() -> Admission:
    """Of a pod that gives clients little time, but much more than one that doesn't dawdle needs."""
    return Admission(PLACES, RequestLimits(header_seconds=1, body_seconds=1))


@pytest.fixture
async def hasty(settings: Settings, admission: Admission) -> AsyncGenerator[RunningPod]:
    """That pod."""
    async with running_pod(settings, admission=admission) as it:
        yield it


@dataclass(frozen=True)
class Watched:
    """A pod, and what is asked of its Redis."""

    pod: RunningPod
    redis: Touches


@pytest.fixture(scope="module")
def own_port() -> Iterator[int]:
    """The port of a Valkey that only these tests use."""
    with valkey() as port:
        yield port


@pytest.fixture
async def watched(own_port: int) -> AsyncGenerator[Watched]:
    """A pod on that Valkey, which asks it nothing by itself; a worker has announced one graph and gone."""
    settings = Settings(redis_url=f"redis://127.0.0.1:{own_port}/0", key_prefix="watched")
    client = connect(settings.redis_url)
    await GraphDirectory(client, Keys(settings.key_prefix)).announce([ECHO])
    async with running_pod(settings) as pod:
        assert (await pod.client.get("/readyz")).status_code == 200
        yield Watched(pod, Touches(client))
    await client.flushdb()
    await client.aclose()
