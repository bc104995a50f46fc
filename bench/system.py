"""What is measured: a real Valkey, pods and workers as processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from bench import cores
from cli.embedded import find_binary
from events.keys import Keys

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0
END_SECONDS = 10.0


def url(valkey_port: int) -> str:
    """Where that Valkey is."""
    return f"redis://127.0.0.1:{valkey_port}/0"


@contextlib.contextmanager
def valkey(on: Collection[int] = (), more: Mapping[str, str] | None = None) -> Generator[int]:
    """An empty server without persistence, on those cores if any are given; gives its port.

    Args:
        on: the cores.
        more: options of the server's, by their names.
    """
    port = free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no", **(more or {})}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with process([str(find_binary()), *words], on), Redis(port=port) as client:
        wait_until(lambda: bool(client.ping()), "Valkey answers")
        yield port


@contextlib.contextmanager
def pod(valkey_port: int, on: Collection[int] = (), **settings: str) -> Generator[tuple[int, int]]:
    """A pod that is ready, on those cores if any are given; gives its port and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "cli.main", "api", "--port", str(port)]
    with process(command, on, TASKREEL_REDIS_URL=url(valkey_port), **settings) as pid:
        wait_until(lambda: is_ready(port), "the pod is ready")
        yield port, pid


@contextlib.contextmanager
def worker(valkey_port: int) -> Generator[int]:
    """A worker that has announced the graph `hello`; gives its process id."""
    command = [sys.executable, "-m", "cli.main", "worker"]
    settings = {"TASKREEL_REDIS_URL": url(valkey_port), "TASKREEL_GRAPHS": "hello=bench.graphs:hello"}
    with process(command, (), **settings) as pid, Redis(port=valkey_port) as client:
        wait_until(lambda: bool(client.hexists(Keys().graphs, "hello")), "the worker has announced itself")
        yield pid


def resident_mib(pid: int, field: str) -> float:
    """A process's VmRSS (resident now) or VmHWM (its highest) in MiB; NaN where there's no /proc."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return float("nan")


@contextlib.contextmanager
def process(command: Sequence[str], on: Collection[int] = (), **settings: str) -> Generator[int]:
    """A process with no settings but those given, on those cores if any are given; ended with the context."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    with tempfile.TemporaryFile() as log:
        environment = {**inherited, "LC_ALL": "C", **settings}
        with cores.started_on(on):
            started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield started.pid
            if started.poll() is not None:
                raise ChildProcessError(f"{command[:4]} ended with status {started.returncode} meanwhile")
        except BaseException:
            _print_end_of(log.fileno())
            raise
        finally:
            end(started)


def end(started: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it doesn't end by itself."""
    started.terminate()
    try:
        started.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def _print_end_of(log: int) -> None:
    size = os.fstat(log).st_size
    print(os.pread(log, 2000, max(0, size - 2000)).decode(errors="replace"), file=sys.stderr)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    """Whether a pod answers its readiness probe."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(1024).startswith(b"HTTP/1.1 200")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask every 50 ms; an OSError and Redis's errors mean not yet.

    Raises:
        TimeoutError: it didn't come true within a minute.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, RedisError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"waited {READY_SECONDS:g} s in vain until {what}")
