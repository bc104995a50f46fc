"""Commands on a terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess

import pytest

from tests.support.histories import history_of
from tests.support.system import SLOW, System, command
from tests.support.terminal import EVIL, highest_picture, last_picture, on_terminal


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
    assert re.search(r"succeeded  [\d.]+ s  45 events  1 node run  1 attempt  reconnected once", picture)
    assert re.search(r"✓ work +━+ +100% +[\d.]+ s +step 40 \(40/40\)", picture)
    assert "! lost http" in picture
    assert "! connected to" in picture
    assert 'result:\r\n  {"count": 40' in picture
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
        assert re.search(r"\\(u00|x)1b\[31mEve\\(u00|x)9b2J\\u202e", text)


@pytest.mark.parametrize("words", [("tail",), ("replay", "--speed", "0.001")])
def test_ctrl_c_ends_quietly(system: System, words: tuple[str, ...]) -> None:
    """Status 130, no traceback, and a terminal's cursor is there again."""
    task_id = system.store(history_of(0, 0, 900))
    process = system.begin(words[0], task_id, *words[1:])
    assert process.stdout
    assert process.stdout.readline().startswith(b"0-1  ")
    process.send_signal(signal.SIGINT)
    _, remarks = process.communicate(timeout=60)
    assert (process.returncode, remarks) == (130, b"")

    def interrupt(written: bytes, pid: int) -> None:
        if b"1-2" in written or b"events" in written:
            os.kill(pid, signal.SIGINT)

    status, written = on_terminal(system.environment, words[0], task_id, *words[1:], meanwhile=interrupt)
    assert status == 130
    assert "Traceback" not in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def typed(system: System, line: str) -> int:
    """The exit status of what bash makes of a line."""
    script = f'taskreel() {{ {shlex.join(command())} "$@"; }}; {line}'.replace("\r", "")
    return subprocess.run(
        ["bash", "-c", script], env=system.environment, stdout=subprocess.DEVNULL
    ).returncode


def test_a_waiting_task_says_how_to_answer_it(system: System) -> None:
    """The command on the screen, typed as it stands, lets the task go on, and the view sees it to its end."""
    task_id = system.submit("approval", "--input", '{"customer": "Ada", "amount": 120}')
    url = system.urls[0]
    shown = re.compile(rf"taskreel resume {task_id} \\\r\n.*?--url {url}\r\n".encode(), re.DOTALL)
    answered: list[int] = []

    def answer(written: bytes, _pid: int) -> None:
        if not answered and (found := shown.search(written)):
            answered.append(typed(system, found[0].decode()))

    status, written = on_terminal(
        system.environment, "tail", task_id, "--url", url, meanwhile=answer, columns=60, lines=24
    )
    assert (answered, status) == ([0], 0)
    assert "? Refund 120.00 euros to Ada?" in written
    assert '! answered: "approve"' in last_picture(written)
    assert highest_picture(written) < 24


def test_sigterm_leaves_a_terminal_in_order(system: System) -> None:
    """The cursor comes back, and the last line is how to go on."""
    task_id = system.store(history_of(0, 0, 0))

    def end(written: bytes, pid: int) -> None:
        if b"4 events" in written:
            os.kill(pid, signal.SIGTERM)

    status, written = on_terminal(system.environment, "tail", task_id, meanwhile=end)
    assert status == 143
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert written.endswith(f"taskreel tail {task_id} --after 2-4\r\n")


def test_a_replay_on_a_terminal_shows_the_time_of_then(system: System) -> None:
    """Half a minute is played in no time, and the elapsed time is still that of the task."""
    task_id = system.store(history_of(0, 0, 0, 30))
    _, written = on_terminal(system.environment, "replay", task_id, "--max-pause", "0.1")
    assert re.search(r"replay x1  ● running  30\.0 s  5 events", last_picture(written))


def test_lists_fit_the_terminal(system: System) -> None:
    """At 60 columns ids are whole and no line is broken; one task tells what it is about."""
    task_id = system.submit("failing")
    system.run("tail", task_id)
    _, listed = on_terminal(system.environment, "ls", columns=60)
    rows = last_picture(listed).splitlines()
    assert any(row.startswith(f"{task_id}  ✗ failed") for row in rows)
    assert max(map(len, rows)) <= 60
    _, shown = on_terminal(system.environment, "show", task_id)
    assert 'message: "ValueError: cannot count to 3"' in shown
    assert f"taskreel replay {task_id}" in shown
