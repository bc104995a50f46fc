"""A worker and two pods, and ways to run commands against them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from uuid import uuid4

import pytest

from tests.support.graphs import SPECS
from tests.support.system import System, Taskreel, command, in_process, start_pod, wait_for

GRAPHS = ",".join([*SPECS, "approval=examples.approval:graph"])


@pytest.fixture(scope="session")
def system(redis_port: int) -> Generator[System]:
    """A worker and two pods for all tests of the command line."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    environment |= {
        "TASKREEL_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "TASKREEL_KEY_PREFIX": f"cli-{uuid4().hex[:8]}",
        "TASKREEL_GRAPHS": GRAPHS,
        "NO_COLOR": "1",
    }
    (one, url), (two, other_url) = start_pod(environment), start_pod(environment)
    processes = [subprocess.Popen(command("worker"), env=environment), one, two]
    try:
        for each in (url, other_url):
            wait_for(f"{each}/graphs", '"approval"')
        yield System(environment | {"TASKREEL_URL": f"{url},{other_url}"}, [url, other_url])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(15)


@pytest.fixture
def mortal(system: System) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    """A pod that may be killed, and URLs that begin with its own."""
    process, url = start_pod(system.environment)
    try:
        wait_for(f"{url}/readyz", "ready")
        yield process, f"{url},{system.urls[0]}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def taskreel(system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Taskreel:
    """Runs a command in this process, which is faster; where processes matter, `system.run` starts one."""
    monkeypatch.setenv("TASKREEL_URL", system.environment["TASKREEL_URL"])

    return in_process(monkeypatch, capsys)
