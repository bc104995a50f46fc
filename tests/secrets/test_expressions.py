"""Expressions of the setting `redact`: read, checked once, and none that could stop a process."""

from __future__ import annotations

import os
import subprocess

import pytest

from events.expressions import expressions
from events.redaction import USUAL
from tests.support.system import command

PREFIXES = (
    "sk-", "-sk-", "sk-a", "AKIA", "ghp_", "xoxb-", "glpat-", "tr_aaaaaaaaaaaa_", "\\nsk-",
    "eyJ", "eyJa.", "eyJaaaaaa.eyJaaaaaa.", "-", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----",
    "://:", "://a", "://a:b", "bearer ", "basic a", "password=", "password=\\", "password='\"", "secret",
    "api_", "token=", "token=a", "cookie: ", "authorization: bearer ", "a", " ", "\"", "=",
)  # fmt: skip


def test_an_array_or_lines() -> None:
    """In an environment variable, one a line is easiest to write; an array can hold line ends and spaces."""
    assert expressions("ACME-\\d+\n\n  [A-Z]{5}-1 \n") == ["ACME-\\d+", "[A-Z]{5}-1"]
    assert expressions('["ACME-\\\\d+", "b1"]') == ["ACME-\\d+", "b1"]
    assert expressions("") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ACME-(", "is none"),
        ('["ACME', "a JSON array of strings"),
        ("[\"a\", 1]", "a JSON array of strings"),
        ("a*", "an empty text"),
        (r"\w+", "stands in a secret's place"),
        (r"(a+)+$", "in proportion to the text"),
        (r"(?:\d+\s?)*x", "in proportion to the text"),
        (r"\w+@\w+\.com", "in proportion to the text"),
    ],
)  # fmt: skip
def test_wrong_expressions_are_refused(text: str, why: str) -> None:
    """One that is none, one that finds everything, and one whose time grows faster than the text."""
    with pytest.raises(ValueError, match=why):
        expressions(f"fine-1\n{text}" if text[0] != "[" else text)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_hostile_texts_take_no_longer(prefix: str) -> None:
    """A text of 256 KiB on which a careless expression would try every pair of places; that takes minutes."""
    text = prefix * (256 * 1024 // len(prefix))
    for end in ("", "!", "@"):
        USUAL.text(text + end)


def test_a_wrong_expression_ends_the_process_with_one_line() -> None:
    """It names the variable and what is wrong with it; 2 tells a supervisor that another start is no use."""
    environment = {**os.environ, "TASKREEL_REDACT": "ACME-("}
    done = subprocess.run(command("api"), env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "TASKREEL_REDACT='ACME-(' is wrong. It takes: regular expressions" in done.stderr
