"""Clients of pods behind nginx: curl, which speaks HTTP/2 as well."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import pytest

from tests.support.nginx import Nginx
from tests.support.pods import RunningPod
from tests.support.waiting import wait_until

HTTP_1 = "--http1.1"
HTTP_2 = "--http2"


@dataclass(frozen=True)
class Proxied:
    """Pods behind nginx."""

    nginx: Nginx
    pods: Sequence[RunningPod]

    @property
    def streams(self) -> int:
        """How many are open at the pods."""
        return sum(len(pod.pod.streams) for pod in self.pods)

    async def without_streams(self) -> None:
        """Wait until no pod has a stream open."""
        await wait_until(lambda: self.streams == 0)


def port_of(pod: RunningPod) -> int:
    """Where it listens, on 127.0.0.1."""
    return int(pod.url.rpartition(":")[2])


class Curl:
    """A curl that is at work, and what it has read so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.body = b""
        self.process = process
        self._output = process.stdout

    async def until(self, marker: bytes) -> bytes:
        """Read on until the body holds those bytes; gives all of it so far."""
        async with asyncio.timeout(60):
            while marker not in self.body:
                piece = await self._output.read(65536)
                assert piece, f"it ended without {marker!r}: {self.body[-500:]!r}"
                self.body += piece
        return self.body

    async def rest(self) -> bytes:
        """Read until the answer's end; gives all of it."""
        async with asyncio.timeout(60):
            self.body += await self._output.read()
            assert await self.process.wait() == 0, self.body[-500:]
        return self.body

    async def leave(self) -> None:
        """Go without a word."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def curl(nginx: Nginx, version: str, path: str, *options: str) -> AsyncGenerator[Curl]:
    """A curl that asks for a path by HTTPS, in a version of HTTP; leaving ends it."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed (Debian: apt install curl)")
    words = [program, "-sSN", version, "--cacert", str(nginx.authority), *options, nginx.secure_url + path]
    it = Curl(await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE))
    try:
        yield it
    finally:
        await it.leave()
