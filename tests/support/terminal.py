"""A command on a pseudo-terminal, and text that would take one over."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
from collections.abc import Callable

from tests.support.system import command

_UPS = re.compile(r"(?:\x1b\[1A\x1b\[2K)+")

EVIL = "\x1b[31mEve\u009b2J\u202e[bold]\x07"


def on_terminal(
    environment: dict[str, str],
    *words: str,
    meanwhile: Callable[[bytes, int], None] | None = None,
    columns: int = 100,
    lines: int = 40,
) -> tuple[int, str]:
    """Run a command on a terminal of that size; gives its status and all it wrote there.

    `meanwhile` is called with what was written so far and the pid whenever something was.
    """
    primary, replica = pty.openpty()
    environment = environment | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(lines)}
    process = subprocess.Popen(
        command(*words), env=environment, stdin=replica, stdout=replica, stderr=replica
    )
    os.close(replica)
    written = b""
    with contextlib.suppress(OSError):  # Linux tells the end of a terminal by EIO
        while piece := os.read(primary, 65536):
            written += piece
            if meanwhile:
                meanwhile(written, process.pid)
    os.close(primary)
    return process.wait(30), written.decode()


def highest_picture(written: str) -> int:
    """How many lines the highest picture had that was drawn over: one more than the cursor went up."""
    return max((len(ups) // len("\x1b[1A\x1b[2K") + 1 for ups in _UPS.findall(written)), default=1)


def last_picture(written: str) -> str:
    """What is on the terminal in the end, after the last time it was erased, without bold and dim print."""
    return re.sub(r"\x1b\[([012](;[012])*m|\?25h)", "", re.split(r"\x1b\[2K", written)[-1])
