"""arq's worker, woken by a bell instead of a fast poll, and not ended by a Redis that blinks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from arq.connections import ArqRedis
from arq.worker import Worker, func

from events.connect import AWAY
from events.queue import FUNCTION

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often the queue is looked at when no bell has rung: what a lost bell costs at most."""

NEVER_SECONDS = 10 * 365 * 86_400
"""arq's own time limit; how long a task may take is decided by its lease and limits, not by arq."""

TAKING_SECONDS = 60.0
"""How long a dispatch counts as taken; soon after it's taken it leaves the queue, and no longer matters."""


class QueueWorker(Worker):
    """Takes dispatches from arq's queue and calls `run_task` for each, up to `concurrency` at a time."""

    def __init__(
        self, arq: ArqRedis, queue: str, concurrency: int, run_task: Callable[[str], Awaitable[None]]
    ) -> None:
        async def run(ctx: dict[Any, Any], task_id: str) -> None:
            # arq leaves a job in its queue until its end, a killed worker's for ever, and looks at the first
            # hundred only: with so many running or dead, an idle worker would find nothing.
            with contextlib.suppress(*AWAY):
                await arq.zrem(queue, ctx["job_id"])
            await run_task(task_id)

        super().__init__(
            functions=[func(run, name=FUNCTION, max_tries=1, keep_result=0, timeout=NEVER_SECONDS)],
            redis_pool=arq,
            queue_name=queue,
            max_jobs=concurrency,
            handle_signals=False,
            retry_jobs=False,
            log_results=False,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
        )
        self.in_progress_timeout_s = TAKING_SECONDS
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Look at the queue now."""
        self._rung.set()

    async def main(self) -> None:
        """Take dispatches until cancelled. Replaces arq's loop, which polls, and exits on an error."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._rung.wait()
            self._rung.clear()
            try:
                await self._poll_iteration()
            except AWAY as error:
                log.warning("the queue cannot be reached: %s", error)
                await asyncio.sleep(0.5)

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self.ring()  # a place is free for what waits

    async def finish(self) -> None:
        """Wait for what was taken."""
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
