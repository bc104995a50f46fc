"""What the repository says of where its parts come from: hashes, and no address of anybody's own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"]

PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")

INDEX = re.compile(
    r"https?://[^\s\"'<>)]*(?:pypi|pythonhosted|devpi|artifactory|nexus|jfrog|codeartifact|/simple\b)"
    r"|(?<!no-emit)-{1,2}(?:extra-)?index-url|(?<!no-emit)--(?:find-links|trusted-host)",
    re.IGNORECASE,
)
"""An address of a package index, or the option that names one."""

MACHINE = re.compile(r"(?<![\w./])/(?:root|home|Users|work|mnt|opt)/[\w.-]+")
"""A path that only somebody's own machine has."""


def requirements(lock: str) -> Iterator[str]:
    """Each requirement of a lock, with all that belongs to it, as one line."""
    for line in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def shipped() -> list[Path]:
    """Every file that is tracked, or would be."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("this is no git repository")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def findings(pattern: re.Pattern[str], path: Path) -> list[str]:
    """Where a file has what it shouldn't."""
    text = path.read_bytes().decode("utf-8", "replace")
    name = path.relative_to(ROOT)
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}" for found in pattern.finditer(text)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash(lock: str) -> None:
    """Nothing that a lock names can be installed as anything but the very file that was locked."""
    found = list(requirements(lock))
    assert len(found) > 5
    assert [line for line in found if not (PINNED.match(line) and HASH.search(line))] == []


def test_make_installs_by_hash_alone() -> None:
    """Whatever `make` installs from a lock, it installs with the hashes required."""
    lines = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "install" in line and "-r " in line
    ]
    assert len(lines) == len(LOCKS)
    assert all("--require-hashes" in line for line in lines)


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is each machine's own affair, and a wrong index is a way to other code."""
    assert [found for path in shipped() for found in findings(INDEX, path)] == []


def test_no_file_names_a_path_of_some_machine() -> None:
    """No file says how the machine looks on which it was written."""
    assert [found for path in shipped() for found in findings(MACHINE, path)] == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (INDEX, "https://py" + "pi.org/simple"),
        (INDEX, "https://user:word@packages.example.com/api/" + "simple/x"),
        (INDEX, "pip install -" + "-in" + "dex-url x"),
        (INDEX, "-" + "-extra-in" + "dex-url=y"),
        (MACHINE, "see /" + "root/notes"),
        (MACHINE, '"/' + 'home/ada/taskreel"'),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    """Each kind of address and path is one that would be found."""
    assert pattern.search(text)
