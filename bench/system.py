"""What is measured: a real Valkey, pods and workers as processes of their own, on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from cli.embedded import find_binary
from events.keys import Keys

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 30.0
END_SECONDS = 10.0


def url(valkey_port: int) -> str:
    """Where that Valkey is."""
    return f"redis://127.0.0.1:{valkey_port}/0"


@contextlib.contextmanager
def valkey() -> Generator[int]:
    """An empty server without persistence; gives its port."""
    port = _free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with _process([str(find_binary()), *words]), Redis(port=port) as client:
        _wait_until(lambda: bool(client.ping()), "Valkey answers")
        yield port


@contextlib.contextmanager
def pod(valkey_port: int) -> Generator[tuple[int, int]]:
    """A pod that is ready; gives its port and its process id."""
    port = _free_port()
    command = [sys.executable, "-m", "cli.main", "api", "--port", str(port)]
    with _process(command, TASKREEL_REDIS_URL=url(valkey_port)) as pid:
        _wait_until(lambda: _is_ready(port), "the pod is ready")
        yield port, pid


@contextlib.contextmanager
def worker(valkey_port: int) -> Generator[int]:
    """A worker that has announced the graph `hello`; gives its process id."""
    command = [sys.executable, "-m", "cli.main", "worker"]
    settings = {"TASKREEL_REDIS_URL": url(valkey_port), "TASKREEL_GRAPHS": "hello=bench.graphs:hello"}
    with _process(command, **settings) as pid, Redis(port=valkey_port) as client:
        _wait_until(lambda: bool(client.hexists(Keys().graphs, "hello")), "the worker has announced itself")
        yield pid


def resident_mib(pid: int, field: str) -> float:
    """A process's VmRSS (resident now) or VmHWM (its highest) in MiB; NaN where there's no /proc."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return float("nan")


@contextlib.contextmanager
def _process(command: Sequence[str], **settings: str) -> Generator[int]:
    """A process with no settings but those given, ended when the context does."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    with tempfile.TemporaryFile() as log:
        environment = {**inherited, "LC_ALL": "C", **settings}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process.pid
            if process.poll() is not None:
                raise ChildProcessError(f"{command[:4]} ended with status {process.returncode} meanwhile")
        except BaseException:
            _print_end_of(log.fileno())
            raise
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _print_end_of(log: int) -> None:
    size = os.fstat(log).st_size
    print(os.pread(log, 2000, max(0, size - 2000)).decode(errors="replace"), file=sys.stderr)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        return connection.recv(1024).startswith(b"HTTP/1.1 200")


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, RedisError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"waited {READY_SECONDS:g} s in vain until {what}")
