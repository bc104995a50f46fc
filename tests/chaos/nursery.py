"""Pods that are there at once: forked from a process that has imported what a pod needs.

`python -m cli.main api` takes a second to start, most of it imports, and `python -m tests.chaos.nursery`
takes them once. `fork PORT URL` on its input makes a process that goes on as that command does, on that port
and with that Redis; `kill PID` kills one. It answers each with the process id, and at the end of its input it
kills those that are left.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from typing import NoReturn

import httpx

from tests.chaos.process import LAST_WORDS_BYTES, READY_SECONDS, ROOT, last_words
from tests.support.server import free_port
from tests.support.waiting import wait_until


class Nursery:
    """Where pods come from."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()

    async def pod(self, url: str) -> ForkedPod:
        """A pod that is ready, with the Redis there."""
        port = free_port()
        pid = await self._ask(f"fork {port} {url}")
        pod = ForkedPod(self, pid, f"http://127.0.0.1:{port}")
        await wait_until(pod.is_ready, READY_SECONDS)
        return pod

    async def kill(self, pid: int) -> None:
        """`kill -9` a pod; returns when it is gone."""
        await self._ask(f"kill {pid}")

    async def _ask(self, line: str) -> int:
        commands, answers = self._process.stdin, self._process.stdout
        assert commands is not None
        assert answers is not None
        async with self._lock:
            commands.write(f"{line}\n".encode())
            return int(await answers.readline())


class ForkedPod:
    """A pod, and a client of it."""

    def __init__(self, nursery: Nursery, pid: int, url: str) -> None:
        self.client = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)
        self._nursery = nursery
        self._pid = pid
        self._killing: asyncio.Task[None] | None = None

    async def kill(self) -> None:
        """`kill -9`; again, if you like."""
        if self._killing is None:
            self._killing = asyncio.create_task(self._nursery.kill(self._pid))
        await asyncio.shield(self._killing)  # it may be a connection of the pod's own that has this done

    async def close(self) -> None:
        """Kill it and let go of its client."""
        await self.kill()
        await self.client.aclose()

    async def is_ready(self) -> bool:
        """Whether it serves."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self.client.get("/readyz")).status_code == 200
        return False


@contextlib.asynccontextmanager
async def nursery() -> AsyncGenerator[Nursery]:
    """A nursery; no pod of it outlives it."""
    with tempfile.TemporaryFile() as log:
        words = (sys.executable, "-m", "tests.chaos.nursery")
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=log)
        try:
            yield Nursery(process)
        finally:
            await process.communicate(b"")
            size = os.fstat(log.fileno()).st_size
            words = os.pread(log.fileno(), LAST_WORDS_BYTES, max(0, size - LAST_WORDS_BYTES))
            last_words.append(("forked pods", words.decode(errors="replace")))


def main() -> None:
    """Fork and kill as told."""
    for name in ("api.edge.server", "cli.logs", "cli.main", "uvloop", "httptools"):
        importlib.import_module(name)
    children: set[int] = set()
    try:
        for line in sys.stdin:
            sys.stdout.write(f"{_obey(line.split(), children)}\n")
            sys.stdout.flush()
    finally:
        for pid in children:
            _kill(pid)


def _obey(words: Sequence[str], children: set[int]) -> int:
    if words[0] == "kill":
        pid = int(words[1])
        children.remove(pid)
        _kill(pid)
        return pid
    pid = os.fork()
    if pid == 0:
        _become_pod(int(words[1]), words[2])
    children.add(pid)
    return pid


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _become_pod(port: int, url: str) -> NoReturn:
    """Never returns to what the parent would do."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.environ["TASKREEL_REDIS_URL"] = url
        importlib.import_module("cli.main").api(port=port)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
