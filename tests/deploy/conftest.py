"""Two pods of one system behind nginx, and a log that grows."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from events.append import Appender
from events.tasks import TaskStore
from tests.deploy.proxied import Proxied, port_of
from tests.support.growing import Growing, growing
from tests.support.nginx import nginx
from tests.support.pods import RunningPod


@pytest.fixture
async def proxied(pod: RunningPod, other_pod: RunningPod) -> AsyncGenerator[Proxied]:
    """nginx in front of two pods."""
    with nginx([port_of(pod), port_of(other_pod)]) as it:
        yield Proxied(it, [pod, other_pod])


@pytest.fixture
async def grown(tasks: TaskStore, appender: Appender) -> Growing:
    """A log that grows."""
    (it,) = await growing(tasks, appender, 1)
    return it
