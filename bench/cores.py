"""Which core is the server's that is measured, and which are everybody else's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Generator

PINNED = hasattr(os, "sched_setaffinity")
"""Whether this system can pin a process to a core."""


def _allowed() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if PINNED else [0]


SERVER = _allowed()[-1:]
"""The core of the server: the last one."""

OTHERS = _allowed()[:-1] or SERVER
"""The cores of Redis, of what publishes, and of the clients."""


@contextlib.contextmanager
def started_on(cores: Collection[int]) -> Generator[None]:
    """What is started within runs on those cores alone, and what it starts, too; on any if none is given."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
