"""The guard: sees to it that nothing outlives a killed `taskreel up`. Both ends of it are here.

The supervisor starts this file first, as the leader of a new process group which every other process then
joins, and holds the only writing end of the guard's stdin. When that end closes, for whatever reason, the
guard ends the whole group within 4 seconds, itself included. A process between fork and exec still holds
the end, so none can join unseen.

On stdin come lines `early PID` (worker, pod) and `late PID` (Valkey, which the early ones write their last
words to). Standard library only, and run by path with -I -S: it must be there at once.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

EARLY_SECONDS = 1.0
"""What workers and pods have before Valkey is asked to end as well."""
LATE_SECONDS = 2.5
"""What is then left of the time until everything is killed; together well under 5 s."""

STOPPED_SECONDS = 5.0
"""How long `Guard.close` waits for a guard that somebody may have stopped."""


class Guard:
    """The supervisor's end, through which it starts every process; open for as long as it lives."""

    def __init__(self, lock: int | None = None) -> None:
        """Start the guard; it inherits the descriptor `lock`: what that locks is free when all are gone."""
        command = [sys.executable, "-I", "-S", __file__]
        fds = [] if lock is None else [lock]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0, pass_fds=fds)

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        when: str = "early",
        fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process in the group, to end `early` or `late` when the guard has to do it."""
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=environment, process_group=self.process.pid, pass_fds=fds
        )
        assert self.process.stdin is not None
        self.process.stdin.write(f"{when} {process.pid}\n".encode())
        self.process.stdin.flush()
        return process

    def close(self) -> None:
        """Have it end itself and whatever may be left in the group."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=STOPPED_SECONDS)
        with contextlib.suppress(OSError):  # the usual: there is nobody left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def main() -> None:
    """Wait for the supervisor's end, then end the group."""
    # SIGHUP: the kernel sends it to an orphaned group that has a stopped member, which is just our case.
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    if os.getpgrp() != os.getpid():  # run by hand: never end somebody else's group
        os.setpgid(0, 0)
    end_group(*read_children(sys.stdin))


def read_children(lines: TextIO) -> tuple[set[int], set[int]]:
    """Read until the supervisor is gone; give the pids to end early and those to end late."""
    told: dict[str, set[int]] = {"early": set(), "late": set()}
    for line in lines:
        when, _, pid = line.partition(" ")
        if when in told and line.endswith("\n"):  # a last line may be cut off
            told[when].add(int(pid))
    return told["early"], told["late"]


def end_group(early: set[int], late: set[int]) -> None:
    """Ask the early ones, ask everybody, kill everybody: this call does not return."""
    for pid in alive(early):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # a stopped process hears SIGTERM only when it goes on
    wait_gone(early, EARLY_SECONDS)
    group = os.getpgrp()
    os.killpg(group, signal.SIGTERM)
    os.killpg(group, signal.SIGCONT)
    wait_gone(early | late, LATE_SECONDS)
    os.killpg(group, signal.SIGKILL)


def alive(pids: Iterable[int]) -> list[int]:
    """Those of `pids` still in our group; a pid that was given to a stranger since is not."""
    return [pid for pid in pids if group_of(pid) == os.getpgrp()]


def group_of(pid: int) -> int | None:
    """The process group of `pid`, None when there is no such process."""
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def wait_gone(pids: Iterable[int], seconds: float) -> None:
    """Return once none of `pids` is left, at the latest after `seconds`."""
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.02)


if __name__ == "__main__":
    main()
