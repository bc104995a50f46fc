"""A process that is talked with in lines of JSON over its standard input and output."""

from __future__ import annotations

import contextlib
import select
import subprocess
from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any

import orjson

from bench import cores, system

PATIENCE_SECONDS = 120.0


class Talker:
    """One such process.

    Args:
        process: with pipes for both, not buffered.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._heard = b""

    def say(self, message: Mapping[str, Any]) -> None:
        """Send one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(message) + b"\n")

    def hear(self, patience: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next line.

        Raises:
            TimeoutError: nothing came for so many seconds.
            ChildProcessError: it ended instead.
        """
        assert self.process.stdout is not None
        while b"\n" not in self._heard:
            if not select.select([self.process.stdout], [], [], patience)[0]:
                raise TimeoutError(f"{self.process.args!r} said nothing for {patience:g} s")
            part = self.process.stdout.read(65536)
            if not part:
                raise ChildProcessError(f"{self.process.args!r} ended with {self.process.wait()}")
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return orjson.loads(line)


@contextlib.contextmanager
def talker(command: Sequence[str], on: Collection[int]) -> Generator[Talker]:
    """A process to talk with, on those cores; ended with the context. Its errors go to the terminal."""
    pipe = subprocess.PIPE
    with cores.started_on(on):
        process = subprocess.Popen(command, cwd=system.ROOT, stdin=pipe, stdout=pipe, bufsize=0)
    try:
        yield Talker(process)
    finally:
        system.end(process)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
