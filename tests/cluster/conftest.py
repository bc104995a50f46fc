"""What tests of a Cluster's client share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from events.connect import connect
from events.routes import Routes, routes
from tests.support.cluster import Cluster, cluster


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """Three primaries; each test leaves them as they were."""
    with cluster(replicas=0) as it:
        yield it


@pytest.fixture
async def client(servers: Cluster) -> AsyncGenerator[Any]:
    """A client as pods and workers have it."""
    it = connect(servers.url)
    yield it
    await it.aclose()


@pytest.fixture
def ways(client: Any) -> Routes:
    """Its routes."""
    return routes(client)


@pytest.fixture
def tag() -> str:
    """A hash tag that no other test has; it has all a test's keys share a slot."""
    return f"{{{uuid4().hex}}}"
