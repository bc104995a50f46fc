"""`taskreel up` with all of it real: however it is ended, nothing is left behind and the data is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import free_port
from tests.support.system import command, wait_for

pytestmark = pytest.mark.alone


def group_members(supervisor: int) -> set[int]:
    """The processes that descend from the supervisor; their groups have leaders among them."""
    found, more = set[int](), {supervisor}
    while more:
        found |= more
        more = {child for parent in more for child in _children(parent)} - found
    return found - {supervisor}


def _children(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in task.read_text().split()] if task.exists() else []


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def history(url: str, task_id: str) -> list[dict[str, Any]]:
    """All events of a task."""
    page = httpx.get(f"{url}/tasks/{task_id}/events?limit=1000", trust_env=False, timeout=30).json()
    assert page["sealed"]
    return page["events"]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes in /proc")
def test_up_leaves_nothing_behind_and_its_data_whole(tmp_path: Path) -> None:
    """Ctrl-C, SIGTERM, and kill -9 of the supervisor, one after another on one data folder."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TASKREEL_")}
    before: dict[str, list[dict[str, Any]]] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        supervisor = subprocess.Popen(
            command("up", "--port", str(port), "--data", str(tmp_path / "data")),
            env=environment,
            stderr=subprocess.PIPE,
        )
        wait_for(f"{url}/graphs", '"digest"')
        for task_id, events in before.items():
            assert history(url, task_id) == events
        answer = httpx.post(f"{url}/tasks", json={"graph": "digest"}, trust_env=False)
        task_id = answer.json()["task_id"]
        wait_for(f"{url}/tasks/{task_id}", '"succeeded"')
        before[task_id] = history(url, task_id)
        members = group_members(supervisor.pid)
        assert len(members) >= 4, "a guard, a Valkey, a worker and a pod"
        supervisor.send_signal(number)
        deadline = time.monotonic() + 5
        while any(map(is_alive, members)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, members))
        supervisor.communicate()
        assert supervisor.returncode == (-signal.SIGKILL if number is signal.SIGKILL else 0)
    assert len(before) == 4
