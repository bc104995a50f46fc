"""A real process that can be killed, paused and started again, and what it said last."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from events.settings import PREFIX
from tests.support.server import TETHER

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0
LAST_WORDS_BYTES = 2000
last_words: deque[tuple[str, str]] = deque(maxlen=20)
"""The ends of the logs of the processes that were ended last, with their names."""


class Process:
    """A process in a session of its own, started at once; what it prints is kept.

    Args:
        name: for people.
        command: its command line.
        environment: added to ours, of which no TASKREEL_ variable is handed on.
        within: a command that runs another one, such as `ip netns exec NAME`.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], within: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._command = [*within, *TETHER, *command]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self._environment = {**inherited, "LC_ALL": "C", **environment}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as this does
        self._process = self._start()

    @property
    def pid(self) -> int:
        """Its process id; another one after each restart."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it hasn't ended. A stopped process runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, also of a stopped one; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it if need be and start it again; it isn't ready yet."""
        self.kill()
        self._process = self._start()

    def check(self) -> None:
        """Raise ChildProcessError if it has ended by itself."""
        if not self.running:
            raise ChildProcessError(f"{self.name} ended by itself with status {self._process.returncode}")

    def output(self, most: int = LAST_WORDS_BYTES) -> str:
        """The end of what it has printed, over all its starts: so many bytes."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), most, max(0, size - most)).decode(errors="replace")

    def close(self) -> None:
        """Kill it and put its last words by."""
        self.kill()
        last_words.append((self.name, self.output()))
        self._log.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )


@contextlib.contextmanager
def process(
    name: str, command: Sequence[str], environment: Mapping[str, str], within: Sequence[str] = ()
) -> Generator[Process]:
    """A process that is killed when the context ends, however it does."""
    it = Process(name, command, environment, within)
    try:
        yield it
    finally:
        it.close()
