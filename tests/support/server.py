"""A real Valkey for the tests, from the same binary that `taskreel up` embeds."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from cli.embedded import find_binary


def free_port() -> int:
    """A loopback TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def valkey(port: int | None = None) -> Generator[int]:
    """A server without persistence; gives its port."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            find_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder,
            "--save", "", "--appendonly", "no", "--logfile", str(Path(folder) / "log"),
        ]  # fmt: skip
        process = subprocess.Popen(command)
        try:
            _wait_until_ready(port)
            yield port
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 20
    with Redis(port=port) as client:
        while True:
            try:
                client.ping()
                return
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
