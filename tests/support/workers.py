"""Workers as real processes, which can be signalled and killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import IO
from uuid import uuid4

from events.connect import connect
from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.support.stubborn_graphs import STUBBORN
from tests.support.system import command
from tests.support.waiting import wait_until


class WorkerProcess:
    """A worker that runs on its own.

    Args:
        process: it.
        errors: where its stderr goes.
    """

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self._errors = errors

    @property
    def lives(self) -> bool:
        """Whether it hasn't ended yet."""
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """What it has written to stderr."""
        return self._errors.read_text()

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended; gives its exit status."""
        await wait_until(lambda: not self.lives)
        return self.process.returncode


@contextlib.asynccontextmanager
async def worker_process(
    settings: Settings, folder: Path, specs: Sequence[str] = STUBBORN, **more: object
) -> AsyncGenerator[WorkerProcess]:
    """A worker process with those graphs and settings that has announced itself; at the end it's killed."""
    given = {**settings.model_dump(exclude_unset=True), "graphs": ",".join(specs), **more}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    environment |= {
        f"TASKREEL_{name.upper()}": str(value) for name, value in given.items() if value is not None
    }
    errors = folder / f"worker-{uuid4().hex[:8]}.log"
    await _unannounce(settings)
    with errors.open("wb") as stderr:
        worker = WorkerProcess(_spawn(environment, stderr), errors)
    try:
        await wait_until(lambda: _announced(settings, worker))
        yield worker
    finally:
        worker.process.kill()
        await asyncio.to_thread(worker.process.wait)


def _spawn(environment: dict[str, str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command("worker"), env=environment, stderr=stderr)


async def _unannounce(settings: Settings) -> None:
    redis, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    await redis.delete(keys.graphs)
    await redis.aclose()


async def _announced(settings: Settings, worker: WorkerProcess) -> bool:
    assert worker.lives, worker.said
    redis, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    try:
        return await GraphDirectory(redis, keys).get("steps") is not None
    finally:
        await redis.aclose()
