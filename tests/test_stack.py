"""`taskreel up` with stand-ins for worker and pod: what it starts, restarts and leaves (nothing)."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from redis import Redis, RedisError

from cli.embedded import StackError, lock_data
from cli.guard import read_children
from cli.stack import check_port, pod_url, taskreel, why_not_ready

pytestmark = pytest.mark.alone

STAND_IN = """
import http.server, json, os, pathlib, signal, subprocess, sys, time

class Pod(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"graphs": [{"name": "g"}], "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if sys.argv[1] == "api":
    http.server.HTTPServer((sys.argv[3], int(sys.argv[5])), Pod).serve_forever()
if os.environ.get("STAND_IN") == "bad setting":
    sys.exit(2)
if os.environ.get("STAND_IN") == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # a grandchild
pathlib.Path("worker.json").write_text(json.dumps(dict(os.environ)))
time.sleep(60)
"""
SUPERVISOR = """
import sys
from pathlib import Path
from cli.stack import StackOptions, run_stack

port, redis_url = int(sys.argv[1]), sys.argv[2] or None
options = StackOptions(port=port, pods=2, graphs=("g=m:g",), data_dir=Path("data"), redis_url=redis_url)
sys.exit(run_stack(options, lambda *words: [sys.executable, "stand_in.py", *words]))
"""


def wait_until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Return once `holds()` is true; fail when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def members(group: int) -> list[int]:
    """Who is in the process group and more than a zombie; without /proc the group's number stands for all."""
    if not Path("/proc/self/stat").exists():
        with suppress(ProcessLookupError):
            os.killpg(group, 0)
            return [group]
        return []
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


def free_port() -> int:
    """The first of two free neighbours."""
    while True:
        with socket.socket() as first, socket.socket() as second, suppress(OSError, OverflowError):
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", first.getsockname()[1] + 1))
            return first.getsockname()[1]


class Up:
    """One supervisor in a process of its own, and what it said."""

    def __init__(self, folder: Path, environment: Mapping[str, str], redis_url: str = "") -> None:
        (folder / "stand_in.py").write_text(STAND_IN)
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"up-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, str(self.port), redis_url],
                cwd=folder,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def is_up(self) -> bool:
        """Whether the banner is complete; fails when the supervisor has ended instead."""
        assert self.process.poll() is None, self.said
        return re.search(r"^  pod-2 .*\n", self.said, re.MULTILINE) is not None

    def pid(self, name: str) -> int:
        """The pid the banner gives."""
        found = re.search(rf"^  {name} +(\d+) ", self.said, re.MULTILINE)
        assert found
        return int(found[1])

    @property
    def group(self) -> int:
        return os.getpgid(self.pid("worker-1"))

    @property
    def redis(self) -> Redis:
        """The log, where the worker was told it is."""
        return Redis.from_url(json.loads((self.folder / "worker.json").read_text())["TASKREEL_REDIS_URL"])

    def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal and give the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


Starter = Callable[..., Up]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Starter]:
    """Start supervisors in a folder of the test's own and wait for the banner; end what is left of them."""
    started: list[Up] = []
    groups: list[int] = []

    def begin(stand_in: str = "", redis_url: str = "", *, wait: bool = True) -> Up:
        up = Up(tmp_path, {"STAND_IN": stand_in}, redis_url)
        started.append(up)
        if wait:
            wait_until(up.is_up)
            wait_until((tmp_path / "worker.json").exists)
            groups.append(up.group)
        return up

    yield begin
    for up in started:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()
    for group in groups:  # of a test that failed
        if group != os.getpgrp() and members(group):
            os.killpg(group, signal.SIGKILL)


def pod_pid(port: int) -> int | None:
    """Who answers on this port."""
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/graphs", timeout=2) as answer:
        return json.load(answer)["pid"]
    return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(start: Starter, number: signal.Signals) -> None:
    """Within 5 s of Ctrl-C, kill or kill -9 no process is left, and what was written is there again."""
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this run ignores it, as under nohup, and what it starts does too")
    up = start()
    with up.redis as redis:
        redis.set("k", "v")
    group = up.group
    assert len(members(group)) == 6  # guard, valkey, worker and its child, two pods
    assert up.end(number, 5) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    if number == signal.SIGKILL:
        wait_until(lambda: not members(group), 5)
    assert members(group) == []
    again = start()
    with again.redis as redis:
        assert redis.get("k") == b"v"
    assert again.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("name", ["worker-1", "valkey"])
def test_a_stopped_process_is_not_left_either(start: Starter, number: signal.Signals, name: str) -> None:
    """A member under SIGSTOP, which hears no SIGTERM, is gone within 5 s all the same."""
    up = start()
    group = up.group
    os.kill(up.pid(name), signal.SIGSTOP)
    up.end(number, 5)
    wait_until(lambda: not members(group), 5)


def test_a_stubborn_process_is_killed_with_the_group(start: Starter) -> None:
    """After a kill -9 even a worker deaf to SIGTERM is gone in 5 s; till then the folder is taken."""
    up = start("stubborn")
    group = up.group
    up.end(signal.SIGKILL)
    with pytest.raises(StackError, match=f"pid {up.process.pid}: stop that one first; if it was killed"):
        lock_data(up.folder / "data")
    wait_until(lambda: not members(group), 5)
    os.close(lock_data(up.folder / "data"))


def test_a_second_ctrl_c_kills(start: Starter) -> None:
    """One Ctrl-C waits for a worker that doesn't end, the next does not."""
    up = start("stubborn")
    group = up.group
    up.process.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping" in up.said)
    wait_until(lambda: pod_pid(up.port) is None)
    time.sleep(0.6)  # signals closer together count as one
    began = time.monotonic()
    assert up.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 2
    assert members(group) == []


def test_valkey_holds_the_folder_when_all_others_are_dead(start: Starter) -> None:
    """Even with supervisor and guard killed, no second server comes near the file of the first."""
    up = start()
    group, valkey = up.group, up.pid("valkey")
    up.process.send_signal(signal.SIGSTOP)
    os.kill(group, signal.SIGKILL)  # the guard leads the group
    up.end(signal.SIGKILL)
    second = start(wait=False)
    assert second.process.wait(10) == 1
    assert re.fullmatch(r"taskreel: the data folder .* is in use by another .*\n", second.said)
    os.kill(valkey, signal.SIGTERM)
    wait_until(lambda: valkey not in members(group))
    os.killpg(group, signal.SIGKILL)
    assert start().end() == 0


def test_a_second_one_is_refused(start: Starter) -> None:
    """One line and status 1, and the first one doesn't notice."""
    first = start()
    second = start(wait=False)
    assert second.process.wait(10) == 1
    assert f"in use by another `taskreel up`, pid {first.process.pid}" in second.said
    assert second.said.count("\n") == 1
    assert pod_pid(first.port) == first.pid("pod-1")
    assert first.end() == 0


def test_without_its_guard_it_stops(start: Starter) -> None:
    """A killed guard would leave a killed supervisor's processes behind, so everything stops."""
    up = start()
    group = up.group
    os.kill(group, signal.SIGKILL)
    assert up.process.wait(10) == 1
    assert "guard process has ended" in up.said
    assert members(group) == []


def test_a_killed_pod_comes_back(start: Starter) -> None:
    """It is missed for a second, then there is a new one on the same port; the others go on."""
    up = start()
    old, other = up.pid("pod-1"), up.pid("pod-2")
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: f"pod-1 (pid {old}) was killed by signal 9; it is started again in 1 s" in up.said)
    assert pod_pid(up.port) is None
    wait_until(lambda: pod_pid(up.port))
    assert f"pod-1 is started again, pid {pod_pid(up.port)}" in up.said
    assert pod_pid(up.port + 1) == other
    assert up.end() == 0


def test_a_killed_valkey_comes_back_with_its_data(start: Starter) -> None:
    """It is started again on the same folder and socket, and reads what was synced."""
    up = start()
    with up.redis as redis:
        redis.set("k", "v")
        assert redis.execute_command("WAITAOF", 1, 0, 3000)[0] == 1
        os.kill(up.pid("valkey"), signal.SIGKILL)
        wait_until(lambda: "valkey is started again" in up.said)
    with up.redis as redis:
        wait_until(lambda: answers(redis))
        assert redis.get("k") == b"v"
    assert up.end() == 0


def answers(redis: Redis) -> bool:
    """Whether the server is there."""
    with suppress(RedisError):
        return bool(redis.ping())
    return False


def test_a_worker_with_a_wrong_setting_ends_everything(start: Starter) -> None:
    """Status 2 at the first start is no reason to try again: one line, status 1, nothing left."""
    up = start("bad setting", wait=False)
    assert up.process.wait(10) == 1
    assert "worker-1 ended with status 2: a setting is wrong" in up.said
    os.close(lock_data(up.folder / "data"))


def test_a_worker_that_fails_is_tried_again_ever_later(start: Starter) -> None:
    """Any other end is told, and the pause before the next start doubles."""
    up = start()
    os.kill(up.pid("worker-1"), signal.SIGTERM)
    wait_until(lambda: "was killed by signal 15; it is started again in 0.5 s" in up.said)
    wait_until(lambda: (again := re.search(r"worker-1 is started again, pid (\d+)", up.said)) and again[1])
    again = re.search(r"worker-1 is started again, pid (\d+)", up.said)
    assert again
    os.kill(int(again[1]), signal.SIGTERM)
    wait_until(lambda: "was killed by signal 15; it is started again in 1 s" in up.said)
    assert up.end() == 0


def test_a_redis_of_ones_own(start: Starter) -> None:
    """With a URL given nothing is embedded and no folder made; the banner keeps the password to itself."""
    up = start(redis_url="redis://me:secret@redis.invalid/0?password=secret")
    told = json.loads((up.folder / "worker.json").read_text())
    assert told["TASKREEL_REDIS_URL"] == "redis://me:secret@redis.invalid/0?password=secret"
    assert told["TASKREEL_GRAPHS"] == "g=m:g"
    assert "redis://me:***@redis.invalid/0?password=***" in up.said
    assert "secret" not in up.said
    assert not (up.folder / "data").exists()
    assert up.end() == 0


def test_a_port_in_use() -> None:
    """One line names host and port; so does a port or host that can't be."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
    with pytest.raises(StackError, match="no port 70000"):
        check_port("127.0.0.1", 70000)
    with pytest.raises(StackError, match=r"cannot listen on no\.such\.invalid"):
        check_port("no.such.invalid", 8000)


def test_where_a_pod_is_reached() -> None:
    """A pod on all addresses is asked on the loopback, and IPv6 is bracketed."""
    assert pod_url("0.0.0.0", 8000) == "http://127.0.0.1:8000"
    assert pod_url("::", 8000) == "http://[::1]:8000"
    assert pod_url("10.0.0.5", 1) == "http://10.0.0.5:1"
    assert "gives no answer" in (why_not_ready(f"http://127.0.0.1:{free_port()}", graphs=True) or "")


def test_the_users_own_folders_are_not_taken_for_ours() -> None:
    """Workers and pods run without the working folder on their module path."""
    assert taskreel("api", "--port", "1") == [sys.executable, "-P", "-m", "cli.main", "api", "--port", "1"]


def test_the_guard_reads_whole_lines_only() -> None:
    """A line cut off by the supervisor's death is nobody's pid."""
    assert read_children(io.StringIO("early 12\nlate 34\nearly 5")) == ({12}, {34})
