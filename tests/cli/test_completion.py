"""Completion in a real bash, and what the other shells are given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import System, wait_for

DRIVER = """
source <(taskreel --show-completion bash)
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_taskreel_completion taskreel
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(system: System, tmp_path: Path) -> dict[str, str]:
    """An environment in which `taskreel` is on PATH, and HOME is empty."""
    taskreel = tmp_path / "bin" / "taskreel"
    taskreel.parent.mkdir()
    taskreel.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n')
    taskreel.chmod(0o755)
    path = f"{taskreel.parent}:{os.environ['PATH']}"
    return system.environment | {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}


def completed(shell: dict[str, str], *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    typed = ["bash", "--norc", "-c", DRIVER, "bash", "taskreel", *words]
    done = subprocess.run(typed, env=shell, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_bash_completes_commands_graphs_tasks_and_statuses(system: System, shell: dict[str, str]) -> None:
    """What only a pod knows is asked of it: graphs, and for `resume` the tasks that wait."""
    task_id = system.submit("approval", "--input", '{"customer": "Ada", "amount": 120}')
    wait_for(f"{system.urls[0]}/tasks/{task_id}", '"waiting"')
    assert completed(shell, "su") == ["submit"]
    assert completed(shell, "submit", "app") == ["approval"]
    assert completed(shell, "ls", "--status", "fa") == ["failed"]
    assert task_id in completed(shell, "resume", "")
    assert task_id in completed(shell, "cancel", task_id[:8])
    system.run("cancel", task_id)
    system.run("tail", task_id)
    assert task_id not in completed(shell, "cancel", "")
    assert completed(shell, "show", task_id[:30]) == [task_id]


def test_without_a_pod_completion_is_silent(shell: dict[str, str]) -> None:
    """No error disturbs the line that is being typed."""
    assert completed(shell | {"TASKREEL_URL": "http://127.0.0.1:1,nonsense"}, "submit", "") == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bash", ".bash_completions/taskreel.sh"),
        ("zsh", ".zfunc/_taskreel"),
        ("fish", ".config/fish/completions/taskreel.fish"),
    ],
)
def test_completion_is_installed_for_the_shell_named(shell: dict[str, str], name: str, file: str) -> None:
    """The file is what --show-completion prints."""

    def run(option: str) -> str:
        return subprocess.run(
            ["taskreel", option, name], env=shell, capture_output=True, text=True, check=True
        ).stdout

    assert f"{name} completion installed in" in run("--install-completion").replace("\n", "")
    assert (Path(shell["HOME"]) / file).read_text().strip() == run("--show-completion").strip()


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_get_a_line_a_graph(shell: dict[str, str], name: str) -> None:
    """A description that were broken into lines would be taken for more graphs."""
    asked = {"_TASKREEL_COMPLETE": f"complete_{name}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = shell | asked | {"_TYPER_COMPLETE_ARGS": "taskreel submit a"}
    lines = subprocess.run(["taskreel"], env=environment, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == 2
    assert "approval" in lines[0]
    assert "Decide a refund" in lines[0]
    assert "asking" in lines[1]
