"""Writing to the two outputs: results to stdout, remarks to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from io import TextIOWrapper
from typing import cast

from cli.text import clean


def prepare() -> None:
    """Have results leave as UTF-8, which JSON is by its standard, and nothing fail for an encoding."""
    stdout, stderr = cast("TextIOWrapper", sys.stdout), cast("TextIOWrapper", sys.stderr)
    if not stdout.isatty():
        stdout.reconfigure(encoding="utf-8")
    stdout.reconfigure(errors="backslashreplace")
    stderr.reconfigure(errors="backslashreplace")


def put(text: str) -> None:
    """One line of the result, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One remark on one line of stderr; a reader that went away is no reason to fail."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"taskreel: {clean(text)}\n")
        sys.stderr.flush()


def abandon() -> None:
    """Nobody reads stdout any more: have Python's last flush of it succeed, into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
