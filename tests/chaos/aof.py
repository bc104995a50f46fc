"""A killed Valkey's append-only file, cut as a power failure would: somewhere in what no fsync has reached.

A process that is killed loses nothing that it has written, for the kernel has it. So the file is cut
afterwards. Where the last fsync was is seen at the thread that does them: it sleeps in between, so its count
of context switches stands still. WAITAOF wouldn't tell: from Redis 7.4 on, and in Valkey 9.1 still, it
answers too early with `appendfsync everysec` (https://github.com/redis/redis/pull/13793).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import deque
from pathlib import Path

from tests.chaos.processes import Server

SAMPLE_SECONDS = 0.02


class Tail:
    """The end of a server's append-only file. Without Linux's /proc, all of it counts as synced."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._samples: deque[tuple[float, int]] = deque(maxlen=round(60 / SAMPLE_SECONDS))
        self._pid = 0
        self._switches = 0
        self._synced = 0

    async def run(self) -> None:
        """Watch it until cancelled, across restarts."""
        while True:
            self._sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def kill_and_cut(self, chance: random.Random) -> float:
        """Kill the server and cut the file. Gives how many seconds of writes were lost."""
        self._sample()
        self._server.kill()
        killed, file = time.monotonic(), self._file()
        size = file.stat().st_size
        cut = chance.randint(min(self._synced, size), size)
        os.truncate(file, cut)
        kept = next((at for at, length in reversed(self._samples) if length <= cut), killed)
        return killed - kept if cut < size else 0.0

    def _sample(self) -> None:
        with contextlib.suppress(OSError):  # the server is away, or about to start
            pid = self._server.process.pid
            switches = self._fsyncs(pid)
            size = self._file().stat().st_size  # read after: what an fsync has reached is never above it
            if pid != self._pid or switches is None or switches != self._switches:
                self._pid, self._switches, self._synced = pid, switches or 0, size
            self._samples.append((time.monotonic(), size))

    def _file(self) -> Path:
        files = self._server.folder.glob("appendonlydir/*.incr.aof")
        return max(files, key=lambda file: file.stat().st_mtime)

    def _fsyncs(self, pid: int) -> int | None:
        """A number that changes with each fsync; None if that can't be known."""
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            if (thread / "comm").read_text().strip() == "bio_aof":
                lines = (thread / "status").read_text().splitlines()
                return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        return None
