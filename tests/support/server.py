"""Real Valkeys and Redises for the tests; Valkey from the same binary that `taskreel up` embeds."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from cli.embedded import OLDEST_MAJOR, find_binary, major_version

READY_SECONDS = 60.0

PORTS = range(10_000, 32_000)
"""Below those that the kernel lends to clients: a server that was killed gets its port again."""

TETHER = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Put before a command, it has the process killed when we are; where there's no such program, it lives on."""


def free_port() -> int:
    """A loopback TCP port that nothing listens on."""
    chance = random.SystemRandom()  # the tests' processes have the same seed
    while True:
        port = chance.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def server_binary(name: str) -> Path:
    """The embedded Valkey, or the Redis on PATH; skips the test if there's none of version 7 or newer."""
    if name == "valkey":
        return find_binary()
    found = shutil.which("redis-server")
    if found is None or major_version(Path(found)) < OLDEST_MAJOR:
        pytest.skip("there is no redis-server of version 7 or newer on PATH")
    return Path(found)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs.

    Attributes:
        host: the address that it listens at.
        within: a command that runs another one there, such as `ip netns exec NAME`.
    """

    host: str = "127.0.0.1"
    within: Sequence[str] = ()


HERE = Place()


class Server:
    """A server that can be killed and started again on its port; it keeps nothing on disk by default.

    Args:
        binary: of Valkey or Redis.
        options: of its command line; a later one has the last word.
        port: where it listens; any that is free unless it's named.
        place: where it runs.
        file: what stands in its configuration file; a Sentinel writes there what it learns.
        password: by which `call` gets in.

    Attributes:
        host: its address.
        port: its port.
        password: of its user `default`.
        folder: where its files are, for as long as it isn't closed.
        away: nobody reaches it, so it isn't asked; whoever cuts it off says so here.
    """

    def __init__(
        self,
        binary: Path,
        options: Sequence[str] = (),
        port: int | None = None,
        *,
        place: Place = HERE,
        file: str = "",
        password: str = "",
    ) -> None:
        self.host, self.port, self.password = place.host, port or free_port(), password
        self.away = False
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        configuration = self.folder / "conf"
        configuration.write_text(file)
        self._command = [
            *place.within, *TETHER, str(binary), str(configuration), "--port", str(self.port),
            "--bind", place.host, "--dir", str(self.folder), "--protected-mode", "no",
            "--save", "", "--appendonly", "no", "--logfile", str(self.folder / "log"), *options,
        ]  # fmt: skip
        self._process = self._spawn()
        self.wait()

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id; another one after each restart."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has neither ended nor is away."""
        return self._process.poll() is None and not self.away

    def url(self, user: str = "") -> str:
        """Where it is, for a user whose password is the name."""
        who = f"{user}:{user}@" if user else ""
        return f"redis://{who}{self.address}/0"

    def restart(self) -> None:
        """Kill it if need be, and start it again; what it held is gone, but for what it keeps on disk."""
        self.kill()
        self.start()
        self.wait()

    def start(self) -> None:
        """Start it again once it was killed, and don't wait. It ends with the thread that calls this."""
        self._process = self._spawn()

    def kill(self) -> None:
        """`kill -9`; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Have it do nothing and answer nobody; its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        self._temporary.cleanup()

    def call(self, *command: Any) -> Any:
        """What it says to a command; a refusal or silence is redis-py's error. Blocks, for 5 s at most."""
        if self.away:
            raise RedisConnectionError(f"{self.address} is away")
        with Redis(self.host, self.port, password=self.password, socket_timeout=5) as client:
            return client.execute_command(*command)  # pyright: ignore[reportUnknownVariableType]

    def told(self, section: str) -> dict[str, str]:
        """A section of its INFO; empty while it doesn't answer."""
        with contextlib.suppress(RedisError):
            found: dict[str, Any] = self.call("INFO", section)
            return {name: str(value) for name, value in found.items()}
        return {}

    def wait(self) -> None:
        """Return once it answers; fails if it doesn't in time."""

        def answers() -> bool:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            return self._answers()

        until(answers, READY_SECONDS)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env={**os.environ, "LC_ALL": "C"})

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False


def until(condition: Callable[[], object], seconds: float) -> None:
    """Block until it holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


@contextlib.contextmanager
def server(name: str, *options: str, port: int | None = None, place: Place = HERE) -> Generator[Server]:
    """A `valkey` or `redis`, with options, while the context lasts."""
    it = Server(server_binary(name), options, port, place=place)
    try:
        yield it
    finally:
        it.close()


@contextlib.contextmanager
def valkey(port: int | None = None) -> Generator[int]:
    """A Valkey without persistence; gives its port."""
    with server("valkey", port=port) as it:
        yield it.port
