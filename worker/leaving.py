"""How a worker's process ends whatever its nodes do: in threads that never end, deaf tasks or a blocked loop.

Nothing can end a thread, and the interpreter joins all threads that aren't daemons before it exits; asyncio
waits likewise for every task that it has cancelled.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from events import tracing

log = logging.getLogger(__name__)

SPARE_THREADS = 54
"""Threads beyond one for each task: for parallel branches, and in place of those that never come back."""

LEAVE_SECONDS = 0.5
"""How long what is left has to end once all tasks are handed back."""


def node_threads(concurrency: int) -> ThreadPoolExecutor:
    """Threads for the synchronous nodes of so many tasks."""
    return ThreadPoolExecutor(concurrency + SPARE_THREADS, thread_name_prefix="nodes")


def leave_within(seconds: float) -> None:
    """Have the process end in that time even if the event loop never turns again; its leases run out."""
    timer = threading.Timer(seconds, _end, ["it did not end in time", 1])
    timer.daemon = True
    timer.start()


async def leave(threads: ThreadPoolExecutor) -> None:
    """End idle threads and what tasks there are; if some node goes on, end the process with it."""
    threads.shutdown(wait=False, cancel_futures=True)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    pending = (await asyncio.wait(tasks, timeout=LEAVE_SECONDS))[1] if tasks else ()
    if pending:
        _end(f"{len(pending)} nodes do not heed their cancellation", 0)
    deadline = asyncio.get_running_loop().time() + LEAVE_SECONDS
    while left := _threads_left():
        if asyncio.get_running_loop().time() > deadline:
            _end(f"nodes go on in threads: {', '.join(left)}", 0)
        await asyncio.sleep(0.01)


def _threads_left() -> list[str]:
    main = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if thread is not main and not thread.daemon]


def _end(why: str, status: int) -> NoReturn:
    log.warning("the process ends at once: %s", why)
    tracing.end()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
