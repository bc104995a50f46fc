"""Ending loops that run beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.2


async def stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended.

    A cancellation can get lost on its way through a library: `asyncio.wait_for` swallows one that comes as
    what it waits for ends, before Python 3.12. So it is repeated until it is heard.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
