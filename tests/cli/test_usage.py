"""Wrong usage, refusals, settings and help."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import System, Taskreel, command

COMMANDS = ("up", "api", "worker", "submit", "tail", "replay", "ls", "show", "cancel", "resume")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("submit", "nothing"), "graph_not_found: There are: .*counting"),
        (("submit", "counting", "--input", '{"count": -1}'), "invalid_input: .*/count"),
        (("show", ""), "'' is no task id"),
        (("tail", ".."), "'..' is no task id"),
        (("submit", "counting", "--idempotency-key", "a\nb"), "invalid_key: "),
        (("submit", "counting", "--input", '{"count": "x"}'), "/count: type, expected .integer"),
        (("show", "nothing"), "task_not_found: There is no such task. `taskreel ls`"),
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
        (("replay", "x", "--max-pause", "-1"), "--max-pause"),
        (("--show-completion", "tcsh"), "--show-completion.*tcsh"),
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


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_has_an_example(taskreel: Taskreel, name: str) -> None:
    """Every command explains itself, and `taskreel` alone prints what commands there are."""
    done = taskreel(*([name, "--help"] if name else []))
    assert done.returncode == 0
    assert done.stderr == ""
    assert bool(re.search(rf"  (Example: |  )(\w+=\S+ )?taskreel {name}", done.stdout)) == bool(name)


def test_a_pod_loads_no_graph_and_no_client(system: System) -> None:
    """What a pod does not need it does not wait for."""
    code = "import sys, cli.main, api.app; print(*{'langgraph', 'httpx', 'rich', 'arq'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=system.environment, capture_output=True, text=True
    )
    assert set(done.stdout.split()) <= {"arq"}


@pytest.mark.parametrize("words", [("ls",), ("ls", "--json")])
def test_a_full_disk_is_one_line(system: System, words: tuple[str, ...]) -> None:
    """What can't be written is told on stderr, with status 3."""
    system.submit("counting", "--input", '{"count": 1}')
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*words), env=system.environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3
    assert done.stderr.startswith("taskreel: cannot write the output: No space left on device; ")
    assert done.stderr.count("\n") == 1
