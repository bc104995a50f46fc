"""Commands that ask once: submit, ls, show, cancel, resume."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.system import SLOW, System, Taskreel, wait_for


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
