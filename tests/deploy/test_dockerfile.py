"""deploy/Dockerfile, step by step as far as that goes without a Docker engine.

What isn't run: pulling the base image, `useradd`, and pip with the network. The requirements are those of the
environment that the tests run in, which is made from the same lock.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.containers import read_only
from tests.deploy.dockerfile import ROOT, stages
from tests.support.server import free_port

BUILD, IMAGE = stages()


def copied() -> list[str]:
    """What is copied from the repository."""
    return [source for rest in BUILD.all("COPY") for source in rest.split()[:-1]]


def ignored_but() -> set[str]:
    """What .dockerignore lets through, having kept out everything."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


@dataclass(frozen=True)
class Built:
    """The image's environment, made here: its `taskreel` and its interpreter."""

    wheel: Path
    folder: Path

    @property
    def taskreel(self) -> str:
        """The entry point."""
        return str(self.folder / "bin" / IMAGE.words("ENTRYPOINT")[0])

    def run(self, *words: str) -> str:
        """What one of its programs prints, from an empty folder without a home."""
        environment = {"PATH": str(self.folder / "bin")}
        done = subprocess.run(words, cwd=self.wheel.parent, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The steps from COPY to `pip install .`, with nothing but what they name."""
    folder = tmp_path_factory.mktemp("image")
    source, wheels, venv = (folder / name for name in ("source", "wheels", "venv"))
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip"]
    _run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(source)])
    (wheel,) = wheels.glob("*.whl")
    _run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    _run([*pip, "--python", str(venv / "bin/python"), "install", *offline, str(wheel)])
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Built(wheel, venv)


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_what_is_needed_is_sent_and_copied() -> None:
    """The builder is sent what COPY names, and nothing else; all of it is there."""
    assert set(copied()) == ignored_but()
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    (from_build,) = IMAGE.all("COPY")
    assert from_build == "--from=build /venv /venv"


def test_the_image_runs_as_nobody_in_particular_from_a_pinned_base() -> None:
    """A number, which Kubernetes can see isn't root's, in the last stage; a base with a version."""
    user, group = IMAGE.all("USER")[-1].split(":")
    assert int(user) == int(group) >= 10_000
    assert f"--uid {user} " in IMAGE.all("RUN")[0]
    for stage in (BUILD, IMAGE):
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", stage.base)
    assert BUILD.base == IMAGE.base


def test_requirements_are_installed_by_hash_before_any_code() -> None:
    """So that they are built anew only when the lock has changed."""
    install, own = BUILD.all("RUN")
    assert "--require-hashes -r requirements.txt" in install
    assert "--no-deps" in own
    words = [word for word, _ in BUILD.instructions]
    assert words.index("RUN") < words.index("COPY", words.index("COPY") + 1)


def test_the_wheel_holds_all_that_runs(built: Built) -> None:
    """Every file of ours that isn't Python's own is in it: pages, scripts, texts and the marks of types."""
    inside = set(zipfile.ZipFile(built.wheel).namelist())
    folders = [name for name in copied() if (ROOT / name).is_dir()]
    ours = {
        str(path.relative_to(ROOT))
        for name in folders
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }
    assert len(ours) > 200
    assert ours - inside == set()
    assert {f"{name}/py.typed" for name in folders} <= inside


def test_the_command_is_the_installed_one(built: Built) -> None:
    """`taskreel --help` works, and none of it comes from where the tests are."""
    assert "Durable, resumable, replayable" in built.run(built.taskreel, "--help")
    tell = "import api, cli, events, examples, worker as w; print(api.__file__, cli.__file__, w.__file__)"
    told = built.run(str(built.folder / "bin/python"), "-c", tell)
    assert str(ROOT) + os.sep not in told


def test_it_refuses_to_serve_whoever_comes(built: Built) -> None:
    """Started as it is, on all addresses and without authentication, it says what to set."""
    done = subprocess.run(
        [built.taskreel, *IMAGE.words("CMD")], env={}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "Set TASKREEL_AUTH=keys" in done.stderr.splitlines()[-1]


def test_its_command_serves_and_is_healthy_without_writing(
    built: Built, redis_port: int, tmp_path: Path
) -> None:
    """CMD and HEALTHCHECK as they are, but for the address; where we are root, no file can be written."""
    port = free_port()
    environment = {
        **IMAGE.environment,
        "PATH": f"{built.folder}/bin:{os.environ['PATH']}",
        "HEALTH_URL": IMAGE.environment["HEALTH_URL"].replace("8000", str(port)),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "TASKREEL_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "TASKREEL_AUTH": "keys",
        "TASKREEL_METRICS_TOKEN": "of-the-scraper-alone",
    }
    local = {"0.0.0.0": "127.0.0.1", "8000": str(port)}
    words = [*read_only(), built.taskreel, *(local.get(word, word) for word in IMAGE.words("CMD"))]
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(words, env=environment, stderr=errors, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not _is_healthy(environment):
            assert process.poll() is None, (tmp_path / "errors").read_text()
            assert time.monotonic() < deadline, "it never was healthy"
    finally:
        process.terminate()
        status = process.wait()
    assert (status, (tmp_path / "errors").read_text()) == (0, "")
    assert not _is_healthy(environment)


def _is_healthy(environment: Mapping[str, str]) -> bool:
    check = IMAGE.words("HEALTHCHECK")
    return subprocess.run(check, env=environment, capture_output=True).returncode == 0
