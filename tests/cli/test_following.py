"""Commands that show a task's events, in a pipe: tail, submit --follow and replay."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.support.histories import cancelled_task, history_of
from tests.support.system import SLOW, System, Taskreel

ENDLESS = json.dumps({"count": 100_000, "pause": 0.02})


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


@pytest.mark.parametrize("words", [("submit", "counting", "--input", ENDLESS, "--follow"), ("tail",)])
def test_a_killed_pod_costs_no_event(
    system: System, mortal: tuple[subprocess.Popen[bytes], str], words: tuple[str, ...]
) -> None:
    """In mid-run the pod dies by SIGKILL; the other one goes on, and every event is printed once."""
    pod, urls = mortal
    if words == ("tail",):
        words = ("tail", system.submit("counting", "--input", ENDLESS))
    process = system.begin(*words, "--json", TASKREEL_URL=urls)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(8)]
    pod.kill()
    assert system.run("cancel", json.loads(lines[0])["data"]["thread_id"]).returncode == 0
    rest, remarks = process.communicate(timeout=60)
    events = [json.loads(line) for line in [*lines, *rest.splitlines()]]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "task.cancelled"
    assert process.returncode == 2
    assert b"lost" in remarks
    assert b"connected to" in remarks


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
