"""The `taskreel` command as a process: in a pipe and on a terminal, against pods and a worker of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from uuid_utils import uuid7

from cli.main import main
from events.append import Appender
from events.log import EventLog
from events.model import Event as NewEvent
from events.model import EventType, now_ms, timestamp
from events.tasks import Submission, TaskStore
from tests.support.graphs import SPECS
from tests.support.system import System, command, start_pod, wait_for
from tests.support.terminal import EVIL, last_picture, on_terminal

GRAPHS = ",".join([*SPECS, "approval=examples.approval:graph"])
SLOW = json.dumps({"count": 40, "pause": 0.15})


@pytest.fixture(scope="module")
def system(redis_port: int) -> Generator[System]:
    """A worker and two pods for all tests of this file."""
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


@dataclass
class Done:
    """What a command that ran in the test's own process came to."""

    returncode: int
    stdout: str
    stderr: str


Taskreel = Callable[..., Done]


@pytest.fixture
def taskreel(system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Taskreel:
    """Runs a command in this process, which is faster; where processes matter, `system.run` starts one."""
    monkeypatch.setenv("TASKREEL_URL", system.environment["TASKREEL_URL"])

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["taskreel", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        printed = capsys.readouterr()
        return Done(ended.value.code, printed.out, printed.err)

    return run


def test_submit_prints_the_id_and_the_answer(system: System, taskreel: Taskreel) -> None:
    """One word for a shell's variable, or all of it as JSON."""
    task_id = system.submit("counting", "--input", '{"count": 1}')
    assert re.fullmatch(r"[0-9a-f-]{36}", task_id)
    done = system.run(
        "submit", "counting", "--json", "--thread", f"t-{task_id}", "--idempotency-key", task_id
    )
    again = system.run(
        "submit", "counting", "--json", "--thread", f"t-{task_id}", "--idempotency-key", task_id
    )
    answer = json.loads(done.stdout)
    assert answer["links"]["stream"] == f"/tasks/{answer['task_id']}/stream"
    assert json.loads(again.stdout)["task_id"] == answer["task_id"]


@pytest.mark.parametrize("source", ["@file", "@-"])
def test_input_comes_from_a_file_or_stdin(system: System, tmp_path: Path, source: str) -> None:
    """Large inputs don't fit on a command line."""
    given = '{"count": 2}'
    (tmp_path / "file").write_text(given)
    name = f"@{tmp_path}/file" if source == "@file" else source
    done = system.run("submit", "counting", "--input", name, "--follow", "--json", stdin=given)
    assert done.returncode == 0
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["data"]["result"] == {"count": 2, "items": [2]}
    assert done.stderr == f"taskreel: task {events[0]['data']['thread_id']}\n"


def test_the_exit_status_tells_how_the_task_ended(system: System, taskreel: Taskreel) -> None:
    """0 succeeded, 1 failed, 2 cancelled, for every command that sees the end."""
    good, bad, cancelled = system.submit("counting"), system.submit("failing"), system.store(cancelled_task)
    assert system.run("tail", bad).returncode == 1
    for task_id, status in ((good, 0), (bad, 1), (cancelled, 2)):
        followed = taskreel("tail", task_id)
        assert followed.returncode == status
        assert followed.stdout.startswith("0-1  ")
        last = taskreel("show", task_id, "--json").stdout
        assert taskreel("tail", task_id, "--after", json.loads(last)["last_event_id"]).returncode == status
        assert taskreel("replay", task_id, "--speed", "max").returncode == status
        assert taskreel("replay", task_id, "--until", "0-1").returncode == 0
    assert "graph_error: ValueError: cannot count to 3 (node work)" in taskreel("tail", bad).stdout


async def submitted(log: EventLog) -> str:
    """A task that no worker takes."""
    task_id = str(uuid7())
    tasks = TaskStore(log, retention_seconds=60)
    await tasks.submit(Submission(task_id, "nobody's", "nowhere", {}, task_id, {}, timestamp(0)))
    await tasks.log.redis.zrem(tasks.log.keys.deadlines, task_id)
    return task_id


async def cancelled_task(log: EventLog) -> str:
    """A task that was cancelled."""
    task_id = await submitted(log)
    claim = await log.claim(task_id, "me", worker="me", lease_ms=60_000)
    appender = Appender(log.redis, log.keys)
    writer = appender.writer(claim)
    await writer.append(NewEvent(EventType.TASK_CANCELLED))
    await writer.flush()
    await appender.close()
    return task_id


@pytest.mark.parametrize("words", [("submit", "counting", "--input", SLOW, "--follow"), ("tail",)])
def test_a_killed_pod_costs_no_event(
    system: System, mortal: tuple[subprocess.Popen[bytes], str], words: tuple[str, ...]
) -> None:
    """In mid-run the pod dies by SIGKILL; the other one goes on, and every event is printed once."""
    pod, urls = mortal
    if words == ("tail",):
        words = ("tail", system.submit("counting", "--input", SLOW))
    process = system.begin(*words, "--json", TASKREEL_URL=urls)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(8)]
    pod.kill()
    rest, remarks = process.communicate(timeout=30)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "task.succeeded"
    assert process.returncode == 0
    assert b"lost" in remarks
    assert b"connected to" in remarks


def test_a_terminal_shows_bars_and_survives_a_killed_pod(
    system: System, mortal: tuple[subprocess.Popen[bytes], str]
) -> None:
    """The live view says that it lost its pod, goes on with the other, and gives the cursor back."""
    pod, urls = mortal

    def kill(written: bytes, _pid: int) -> None:
        if re.search(rb"step \d\d", written):
            pod.kill()

    status, written = on_terminal(
        system.environment, "submit", "counting", "--input", SLOW, "--follow", "--url", urls, meanwhile=kill
    )
    assert status == 0
    picture = last_picture(written)
    assert re.search(r"succeeded  [\d.]+ s, 45 events", picture)
    assert re.search(r"work +━+ +100% +step 40 \(40/40\)", picture)
    assert "! lost http" in picture
    assert "! connected to" in picture
    assert '{"count":40' in picture
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_hostile_text_is_shown_and_not_obeyed(system: System, words: tuple[str, ...]) -> None:
    """Control characters of an event are spelled out, on a terminal and in a pipe; markup is text."""
    given = json.dumps({"customer": EVIL, "amount": 10})
    task_id = system.submit("approval", "--input", given)
    _, written = on_terminal(system.environment, "tail", task_id, *words)
    piped = system.run("tail", task_id, *words).stdout + system.run("show", task_id, *words).stdout
    for text in (last_picture(written), piped):
        assert not set("\x1b\x07\u009b\u202e") & set(text)
        assert "[bold]" in text
        assert "\\u001b[31mEve\\u009b2J\\u202e" in text


@pytest.mark.parametrize("words", [("tail",), ("replay", "--speed", "0.001")])
def test_ctrl_c_ends_quietly(system: System, words: tuple[str, ...]) -> None:
    """Status 130, no traceback, and a terminal's cursor is there again."""
    task_id = system.store(history_of(0, 0, 900))
    process = system.begin(words[0], task_id, *words[1:])
    assert process.stdout
    assert process.stdout.readline().startswith(b"0-1  ")
    process.send_signal(signal.SIGINT)
    _, remarks = process.communicate(timeout=30)
    assert (process.returncode, remarks) == (130, b"")

    def interrupt(written: bytes, pid: int) -> None:
        if b"1-2" in written or b"events" in written:
            os.kill(pid, signal.SIGINT)

    status, written = on_terminal(system.environment, words[0], task_id, *words[1:], meanwhile=interrupt)
    assert status == 130
    assert "Traceback" not in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_a_reader_that_goes_away_is_no_error(system: System) -> None:
    """As in `taskreel tail … | head -1`."""
    process = system.begin("tail", system.submit("counting", "--input", SLOW))
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def history_of(*seconds: float) -> Callable[[EventLog], Coroutine[Any, Any, str]]:
    """A task whose events bear times so many seconds after the first; attempt 2 does its third again."""

    async def make(log: EventLog) -> str:
        task_id = await submitted(log)
        started = {"worker": "w", "resumed_from": None, "supersedes": [3]}
        now = now_ms()
        for seq, at in enumerate(seconds, 2):
            attempt = 1 if seq < 4 else 2
            kind = "attempt.started" if seq in (2, 4) else "progress"
            data = started if seq in (2, 4) else {"message": f"{seq}"}
            ts = timestamp(now + int(at * 1000))
            event = {"seq": seq, "attempt": attempt, "type": kind, "ts": ts, "data": data}
            fields = {"type": kind, "event": orjson.dumps(event)}
            await log.redis.xadd(log.keys.log(task_id), fields, id=f"{attempt}-{seq}")  # pyright: ignore[reportArgumentType]
        return task_id

    return make


def test_replay_keeps_the_time_between_events(system: System) -> None:
    """Twenty seconds take two at speed 10, and an hour none at max; a clock that went back is no matter."""
    short, long = (system.store(history_of(0, 0, -5, seconds)) for seconds in (20, 3600))
    began = time.monotonic()
    assert system.run("replay", short, "--speed", "10").stdout.count("\n") == 5
    assert time.monotonic() - began > 1.9
    assert system.run("replay", long, "--speed", "max").stdout.count("\n") == 5


def test_replay_leaves_out_what_was_done_again_or_came_later(system: System, taskreel: Taskreel) -> None:
    """`--attempts final` drops the superseded; `--until` compares as numbers, not as text."""
    task_id = system.store(history_of(*[0] * 12))

    def replayed(*words: str) -> list[int]:
        done = taskreel("replay", task_id, "--speed", "max", "--json", *words)
        return [json.loads(line)["seq"] for line in done.stdout.splitlines()]

    assert replayed() == list(range(1, 14))
    assert replayed("--attempts", "final") == [1, 2, *range(4, 14)]
    assert replayed("--until", "2-9") == list(range(1, 10))


def test_ls_lists_tasks_as_a_table_or_as_json(system: System, taskreel: Taskreel) -> None:
    """Ids are never cut, whatever the width; the filters are the API's."""
    ids = [system.submit("failing") for _ in range(3)]
    for task_id in ids:
        taskreel("tail", task_id)
    found = taskreel("ls", "--graph", "failing", "--status", "failed", "--limit", "2", "--json").stdout
    assert [json.loads(line)["task_id"] for line in found.splitlines()] == ids[:0:-1]
    heading, first, *_ = taskreel("ls").stdout.splitlines()
    assert heading.split() == ["TASK", "GRAPH", "STATUS", "ATTEMPT", "CREATED", "LAST", "EVENT"]
    assert first.split()[:3] == [ids[-1], "failing", "failed"]
    assert taskreel("ls", "--graph", "none", "--json").stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("submit", "nothing"), "graph_not_found: There are: .*counting"),
        (("submit", "counting", "--input", '{"count": -1}'), "invalid_input: .*/count"),
        (("show", "nothing"), "task_not_found: "),
        (("tail", "nothing"), "task_not_found: "),
        (("replay", "nothing"), "task_not_found: "),
        (("tail", "x", "--after", "y"), "invalid_cursor: 'y'"),
        (("ls", "--url", "nonsense"), "'nonsense' is no URL of a pod"),
        (("ls", "--url", "http://127.0.0.1:1"), "cannot reach http://127.0.0.1:1: connection refused"),
        (("tail", "x", "--url", "http://127.0.0.1:1"), "cannot reach .*: connection refused"),
        (("submit", "counting", "--input", "{"), "Invalid value for '--input': it is not JSON"),
        (("submit", "counting", "--input", "@/nowhere"), "cannot read '/nowhere': No such file"),
        (("replay", "x", "--speed", "0"), "'0' is no speed"),
        (("replay", "x", "--speed", "inf"), "'inf' is no speed"),
        (("replay", "x", "--until", "1-"), "'1-' is no event id"),
        (("replay", "x", "--attempts", "some"), "--attempts"),
        (("ls", "--status", "odd"), "--status"),
        (("ls", "--limit", "0"), "--limit"),
        (("tail",), "Missing argument 'TASK'"),
        (("nothing",), "No such command 'nothing'"),
    ],
)
def test_wrong_usage_and_refusals_are_one_line_and_status_3(
    taskreel: Taskreel, words: tuple[str, ...], says: str
) -> None:
    """Never a traceback, and nothing on stdout that a program could take for an answer."""
    done = taskreel(*words)
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(rf"taskreel: .*{says}.*\n", done.stderr), done.stderr


@pytest.mark.parametrize(
    ("words", "setting", "status", "says"),
    [
        (("api",), {"TASKREEL_LEASE_SECONDS": "soon"}, 2, "TASKREEL_LEASE_SECONDS='soon' is wrong"),
        (("worker",), {"TASKREEL_REDIS_URL": "http://x"}, 2, "TASKREEL_REDIS_URL='http://x' is wrong"),
        (("worker",), {"TASKREEL_GRAPHS": ""}, 2, "TASKREEL_GRAPHS is empty"),
        (("worker",), {"TASKREEL_GRAPHS": "a=nothing:b"}, 2, "graph 'a' cannot be loaded"),
        (("up",), {"TASKREEL_MAX_QUEUED": "0"}, 1, "TASKREEL_MAX_QUEUED='0' is wrong"),
    ],
)
def test_a_wrong_setting_is_one_line(
    system: System, words: tuple[str, ...], setting: dict[str, str], status: int, says: str
) -> None:
    """Status 2 tells a supervisor that starting the process again is no use."""
    done = system.run(*words, **setting)
    assert done.returncode == status
    assert re.fullmatch(rf"taskreel: {says}.*\n", done.stderr), done.stderr


@pytest.mark.parametrize("name", ["", "up", "api", "worker", "submit", "tail", "replay", "ls", "show"])
def test_help_has_an_example(taskreel: Taskreel, name: str) -> None:
    """Every command explains itself, and `taskreel` alone prints what commands there are."""
    done = taskreel(*([name, "--help"] if name else []))
    assert done.returncode == 0
    assert done.stderr == ""
    assert ("Example: " in done.stdout) == bool(name)


def test_a_pod_loads_no_graph_and_no_client(system: System) -> None:
    """What a pod does not need it does not wait for."""
    code = "import sys, cli.main, api.app; print(*{'langgraph', 'httpx', 'rich', 'arq'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=system.environment, capture_output=True, text=True
    )
    assert set(done.stdout.split()) <= {"arq"}


def test_a_waiting_task_is_answered_and_a_running_one_cancelled(system: System, taskreel: Taskreel) -> None:
    """From the command line, as by HTTP; what is refused is told in one line."""
    task_id = system.submit("approval", "--input", '{"customer": "Ada", "amount": 120}')
    wait_for(f"{system.urls[0]}/tasks/{task_id}", '"waiting"')
    assert taskreel("resume", task_id, "--value", '"approve"').returncode == 0
    assert taskreel("tail", task_id).returncode == 0
    late = taskreel("resume", task_id, "--value", "1")
    assert (late.returncode, late.stderr.partition(":")[2].split(":")[0].strip()) == (3, "not_waiting")
    task_id = system.submit("counting", "--input", SLOW)
    done = taskreel("cancel", task_id)
    assert (done.returncode, done.stdout.strip()) == (0, "cancelling")
    assert taskreel("tail", task_id).returncode == 2
    assert "already_ended" in taskreel("cancel", task_id).stderr
