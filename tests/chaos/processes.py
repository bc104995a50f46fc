"""Real processes that can be killed, paused and started again: Valkey, workers and pods, on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis as BlockingRedis
from redis.exceptions import RedisError

from cli.embedded import find_binary
from events.connect import connect
from events.keys import Keys
from events.settings import PREFIX
from tests.support.server import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0
LAST_WORDS_BYTES = 2000
TETHER = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Put before a command, it has the process killed when we are; where there's no such program, it lives on."""

last_words: deque[tuple[str, str]] = deque(maxlen=20)
"""The ends of the logs of the processes that were ended last, with their names."""


class Process:
    """A process in a session of its own, started at once; what it prints is kept.

    Args:
        name: for people.
        command: its command line.
        environment: added to ours, of which no TASKREEL_ variable is handed on.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self._environment = {**inherited, "LC_ALL": "C", **environment}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as this does
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Its process id; another one after each restart."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it hasn't ended. A stopped process runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, also of a stopped one; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it if need be and start it again; it isn't ready yet."""
        self.kill()
        self._process = self._start()

    def check(self) -> None:
        """Raise ChildProcessError if it has ended by itself."""
        if not self.running:
            raise ChildProcessError(f"{self.name} ended by itself with status {self._process.returncode}")

    def output(self, most: int = LAST_WORDS_BYTES) -> str:
        """The end of what it has printed, over all its starts: so many bytes."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), most, max(0, size - most)).decode(errors="replace")

    def close(self) -> None:
        """Kill it and put its last words by."""
        self.kill()
        last_words.append((self.name, self.output()))
        self._log.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*TETHER, *self._command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )


@contextlib.contextmanager
def process(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Generator[Process]:
    """A process that is killed when the context ends, however it does."""
    it = Process(name, command, environment)
    try:
        yield it
    finally:
        it.close()


@dataclass(frozen=True, slots=True)
class Server:
    """A Valkey, on the same port and folder after each restart."""

    process: Process
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it is, for TASKREEL_REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    async def restart(self) -> None:
        """Kill it if need be, start it again and wait until it answers."""
        self.process.restart()
        await self.ready()

    async def ready(self) -> None:
        """Wait until it answers."""
        await wait_until(self._answers, READY_SECONDS)

    def _answers(self) -> bool:
        self.process.check()
        with contextlib.suppress(RedisError), BlockingRedis(port=self.port, socket_timeout=5) as client:
            return bool(client.ping())
        return False


@contextlib.asynccontextmanager
async def valkey(folder: Path, port: int | None = None, *, aof: bool = False) -> AsyncGenerator[Server]:
    """A server that answers; with `aof`, it keeps an append-only file in the folder, synced every second."""
    port = port or free_port()
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes" if aof else "no",
        "appendfsync": "everysec",
        "loglevel": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with process("valkey", [str(find_binary()), *words], {}) as it:
        await (server := Server(it, port, folder)).ready()
        yield server


@contextlib.asynccontextmanager
async def workers(
    url: str, count: int, graphs: Sequence[str], **settings: object
) -> AsyncGenerator[list[Process]]:
    """So many workers that serve those graphs (`NAME=module:attr`) and take tasks.

    Args:
        url: of the log's Redis.
        count: how many.
        graphs: what each serves.
        settings: more of them, such as `lease_seconds=3`.
    """
    environment = _environment(url, graphs=",".join(graphs), **settings)
    command = [sys.executable, "-m", "cli.main", "worker"]
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(process(f"worker {n}", command, environment)) for n in range(count)]
        await workers_ready(url, found, str(settings.get("key_prefix", "taskreel")))
        yield found


async def workers_ready(url: str, found: Sequence[Process], prefix: str = "taskreel") -> None:
    """Wait until that many workers hear the bell of their queue, and have announced their graphs."""
    keys, client = Keys(prefix), connect(url)

    async def ready() -> bool:
        for it in found:
            it.check()
        subscribers: list[Any] = await client.pubsub_numsub(keys.queue_bell("default"))
        return subscribers[0][1] >= len(found) and bool(await client.exists(keys.graphs))

    try:
        await wait_until(ready, READY_SECONDS)
    finally:
        await client.aclose()


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, on the same port after each restart, and a client of it."""

    process: Process
    url: str
    client: httpx.AsyncClient

    async def restart(self) -> None:
        """Kill it if need be, start it again and wait until it is ready."""
        self.process.restart()
        await self.ready()

    async def ready(self) -> None:
        """Wait until it is ready."""
        await wait_until(self._is_ready, READY_SECONDS)

    async def submit(self, graph: str, **body: Any) -> str:
        """POST a task; gives its id."""
        answer = await self.client.post("/tasks", json={"graph": graph, **body})
        answer.raise_for_status()
        return answer.json()["task_id"]

    async def _is_ready(self) -> bool:
        self.process.check()
        with contextlib.suppress(httpx.HTTPError):
            return (await self.client.get("/readyz")).status_code == 200
        return False


@contextlib.asynccontextmanager
async def pod(url: str, port: int | None = None, **settings: object) -> AsyncGenerator[Pod]:
    """A pod that is ready, with that Redis and those settings."""
    port = port or free_port()
    command = [sys.executable, "-m", "cli.main", "api", "--port", str(port)]
    base = f"http://127.0.0.1:{port}"
    with process(f"pod {port}", command, _environment(url, **settings)) as it:
        async with httpx.AsyncClient(base_url=base, timeout=20, trust_env=False) as client:
            await (found := Pod(it, base, client)).ready()
            yield found


def _environment(url: str, **settings: object) -> dict[str, str]:
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in {"redis_url": url, **settings}.items()}
