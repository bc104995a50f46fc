"""nginx with nchan as a contender, where both are installed: Debian's `nginx-light` and `libnginx-mod-nchan`.

In its own memory, nginx receives what is published and delivers it in one process; there is no other way. On
Redis, several share the messages, and any of them can be published to. By default that is a second one on
another core, so that the measured one only delivers, as a pod does; it is the better case for nchan.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Collection, Generator, Sequence
from pathlib import Path

from bench import cores, system
from bench.client import Request
from bench.contenders import Server
from bench.peers.nchan_config import configuration

MAX_CONNECTIONS = 20_000
"""Clients that an nginx takes, where the limit of its descriptors allows it."""

_PROGRAMS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/nginx/sbin"])
_MODULE = "ngx_nchan_module.so"
_FOLDERS = (
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/local/nginx/modules",
    "/usr/share/nginx/modules",
    "/etc/nginx/modules",
)


def nginx() -> Path | None:
    """The program, if there is one."""
    found = shutil.which("nginx", path=_PROGRAMS)
    return None if found is None else Path(found)


def module() -> Path | None:
    """nchan's shared object, if there is one where distributions put it."""
    return next((path for folder in _FOLDERS if (path := Path(folder, _MODULE)).is_file()), None)


class _Nchan:
    def missing(self) -> str | None:
        """The part that isn't installed."""
        if nginx() is None:
            return "nginx is not installed"
        return None if module() is not None else f"nginx's {_MODULE} is not installed"

    def path(self, task_id: str) -> str:
        """The same as a pod's; begins with a comment, `: hi`, and the oldest message that there is."""
        return f"/tasks/{task_id}/stream"


class NchanInMemory(_Nchan):
    """Messages are in nginx's own shared memory, and gone when it ends."""

    name = "nchan in memory"

    @contextlib.contextmanager
    def serve(self, valkey: int) -> Generator[Server]:
        """One nginx on the server's core, that is published to and delivers; it has no use for the Valkey."""
        del valkey
        with _nginx(cores.SERVER) as (port, worker):
            yield Server(port, [worker], _publisher(port))


class NchanOnRedis(_Nchan):
    """Messages are in Redis; every nginx that has clients for a channel is sent them by PUBLISH.

    Args:
        elsewhere: publish through a second nginx on the other cores, and not through the one that delivers.
    """

    def __init__(self, *, elsewhere: bool = True) -> None:
        self._elsewhere = elsewhere
        self.name = "nchan on Redis" if elsewhere else "nchan on Redis, published through itself"

    @contextlib.contextmanager
    def serve(self, valkey: int) -> Generator[Server]:
        """One nginx on the server's core; what is published goes to another one, or to itself."""
        with contextlib.ExitStack() as stack:
            port, worker = stack.enter_context(_nginx(cores.SERVER, valkey))
            other = stack.enter_context(_nginx(cores.OTHERS, valkey))[0] if self._elsewhere else port
            yield Server(port, [worker], _publisher(other))


@contextlib.contextmanager
def _nginx(on: Collection[int], redis: int | None = None) -> Generator[tuple[int, int]]:
    """An nginx that is ready, in a folder of its own; gives its port and the process id of its worker."""
    program, shared_object, port = nginx(), module(), system.free_port()
    assert program is not None
    assert shared_object is not None
    connections = min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with tempfile.TemporaryDirectory(prefix="taskreel-nginx-") as folder:
        os.chmod(folder, 0o755)  # root's nginx has its worker run as nobody, who keeps large bodies here
        text = configuration(shared_object, port, connections, redis)
        Path(folder, "nginx.conf").write_text(text)
        with system.process([str(program), "-p", folder, "-c", "nginx.conf", "-e", "stderr"], on) as master:
            system.wait_until(lambda: _is_ready(port, servers=0 if redis is None else 1), "nginx is ready")
            yield port, _worker(master)


def _is_ready(port: int, servers: int) -> bool:
    status = Request(port, "GET", "/status", "text/plain")
    status.finish()
    return b"\nredis connected servers: %d\n" % servers in status.received


def _worker(master: int) -> int:
    """The process that does the work; the master only looks after it."""
    return int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])


def _publisher(port: int) -> Sequence[str]:
    return [sys.executable, "-m", "bench.peers.nchan_publisher", "--port", str(port)]
