"""SECURITY.md: every test that it calls a threat's answer by is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOLD = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")


def threats() -> list[str]:
    """The rows of the table of threats."""
    text = (ROOT / "SECURITY.md").read_text()
    section = text.partition("## Threats\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def named() -> list[tuple[str, str]]:
    """Each test file that the document names, and the test in it, if it names one."""
    return sorted(set(TOLD.findall((ROOT / "SECURITY.md").read_text())))


@pytest.mark.parametrize(("path", "test"), named())
def test_what_the_document_names_is_there(path: str, test: str) -> None:
    """A test that was renamed or removed is found out here."""
    assert (ROOT / path).is_file(), f"SECURITY.md names {path}, which isn't there"
    found = re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE)
    assert found, f"{path} has no test"
    assert not test or test in found, f"SECURITY.md names {test}, which isn't in {path}"


def test_every_threat_has_an_answer_and_what_shows_it() -> None:
    """Each row of the table has a test, or a command that measures."""
    rows = [[cell.strip() for cell in row.split(" | ")] for row in threats()]
    assert len(rows) > 20
    assert [row for row in rows if len(row) != 3 or not row[1]] == []
    assert [row for row in rows if not TOLD.search(row[2]) and "`make " not in row[1]] == []


def test_the_documents_of_the_repository_are_linked() -> None:
    """What the document links to is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "SECURITY.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
