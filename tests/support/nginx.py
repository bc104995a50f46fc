"""A real nginx with the configuration of deploy/nginx, started as docker-compose.yml does, in front of pods.

Replaced in the configuration are its folders and ports, Docker's names of the pods by ports of 127.0.0.1; and
where nginx is older than 1.25.1, `http2 on` by the form that it knows. A port without TLS would then
speak HTTP/2 alone, so there it speaks HTTP/1.1 alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.support.compose import ROOT, services, variables
from tests.support.server import free_port

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
_HTTP2_DIRECTIVE = (1, 25, 1)
"""The nginx that first had `http2 on`: https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2."""

_SERVER = re.compile(r"(?m)^( *)server (pod-\d+):8000 resolve (.*);$")


@dataclass(frozen=True)
class Nginx:
    """An nginx that listens.

    Attributes:
        port: of plain HTTP.
        secure_port: of HTTPS.
        authority: a file with the certificate of who vouches for it.
        folder: with all it has, `access.log` and `error.log`.
        process: its master.
    """

    port: int
    secure_port: int
    authority: Path
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it is by plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def secure_url(self) -> str:
        """Where it is by HTTPS."""
        return f"https://127.0.0.1:{self.secure_port}"

    @property
    def requests(self) -> str:
        """What it has told of the requests that are over, a line of JSON each."""
        return (self.folder / "access.log").read_text()


@contextlib.contextmanager
def nginx(pods: Sequence[int], instead: Mapping[str, str] | None = None) -> Generator[Nginx]:
    """An nginx in front of pods on those ports of 127.0.0.1; skips the test where it isn't installed.

    Args:
        pods: the ports.
        instead: what the configuration has, and what is put in its place, such as a shorter time.
    """
    path = program()
    with tempfile.TemporaryDirectory(prefix="taskreel-nginx-") as name:
        folder = Path(name)
        port, secure_port = free_port(), free_port()
        configure(folder, pods, port, secure_port, instead or {})
        authority = _certify(folder / "etc/taskreel/tls")
        words = [path, *(located(word, folder) for word in services(variables())["nginx"]["command"])]
        with (folder / "access.log").open("wb") as told, (folder / "error.log").open("wb") as errors:
            process = subprocess.Popen(words, stdout=told, stderr=errors)
            try:
                _wait(process, port, folder)
                yield Nginx(port, secure_port, authority, folder, process)
            finally:
                process.terminate()
                process.wait()


def program() -> str:
    """nginx's path; skips the test where it isn't installed."""
    found = shutil.which("nginx", path=_PATH)
    if found is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light)")
    return found


def configure(
    folder: Path, pods: Sequence[int], port: int, secure_port: int, instead: Mapping[str, str]
) -> None:
    """Write the configuration for those ports into a folder that stands for the container's root."""
    folder.chmod(0o755)  # the workers of root's nginx are nobody's
    (folder / "tmp").mkdir()
    (folder / "etc/taskreel").mkdir(parents=True)
    shutil.copytree(ROOT / "deploy/nginx", folder / "etc/taskreel/nginx")
    (folder / "etc/taskreel/tls").mkdir()
    shutil.copy(ROOT / "deploy/nginx/tls.conf", folder / "etc/taskreel/tls")
    ports = {"listen 8080": f"listen 127.0.0.1:{port}", "listen 8443": f"listen 127.0.0.1:{secure_port}"}
    knows_http2 = _version() >= _HTTP2_DIRECTIVE
    for file in folder.glob("etc/taskreel/*/*.conf"):
        text = located(file.read_text(), folder)
        for old, new in {**ports, **instead}.items():
            text = text.replace(old, new)
        file.write_text(_upstream(text, pods) if knows_http2 else _older(_upstream(text, pods)))


def located(text: str, folder: Path) -> str:
    """A text with the container's folders put below another one."""
    return re.sub(r"(?<![\w:/])/(etc/taskreel|tmp)/", rf"{folder}/\1/", text)


def _upstream(text: str, pods: Sequence[int]) -> str:
    """The first server's line for each of the pods, and no resolver: there are no names to look up."""
    found = list(_SERVER.finditer(text))
    if not found:
        return text
    lines = "\n".join(f"{found[0][1]}server 127.0.0.1:{port} {found[0][3]};" for port in pods)
    text = text[: found[0].start()] + lines + text[found[-1].end() :]
    return re.sub(r"(?m)^resolver .*\n", "", text)


def _older(text: str) -> str:
    text = re.sub(r"(?m)^ *http2 on;\n", "", text)
    return re.sub(r"(listen \S+ ssl)", r"\1 http2", text)


def _version() -> tuple[int, ...]:
    told = subprocess.run([program(), "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    assert found, told
    return tuple(map(int, found.groups()))


def _certify(folder: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return folder / "authority.pem"


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, (folder / "error.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < deadline, "nginx didn't begin to answer in time"
        time.sleep(0.02)
