"""Thousands of clients: the load generator of bench/load.c, compiled when it's first needed, and driven."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import cores, system
from bench.talk import Talker, talker

SOURCE = Path(__file__).with_name("load.c")
PROGRAM = system.ROOT / ".bench" / "load"
PATIENCE_SECONDS = 600.0


def missing() -> str | None:
    """What keeps it from running on this machine, if anything does."""
    if not cores.PINNED:
        return "Linux is needed: processes are pinned to cores, and measured by /proc"
    if not _compiled() and shutil.which("cc") is None:
        return "a C compiler is needed as `cc`: the clients are a C program, bench/load.c"
    return None


def program() -> Path:
    """The compiled program, no older than its source.

    Raises:
        subprocess.CalledProcessError: the compiler doesn't like it; it has said why.
    """
    if not _compiled():
        PROGRAM.parent.mkdir(exist_ok=True)
        fresh = PROGRAM.with_name(f"load.{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(SOURCE)], check=True)
        fresh.replace(PROGRAM)
    return PROGRAM


def _compiled() -> bool:
    return PROGRAM.exists() and PROGRAM.stat().st_mtime > SOURCE.stat().st_mtime


@dataclass(frozen=True, slots=True)
class Received:
    """What the clients got.

    Attributes:
        clients: how many there were.
        complete: those that came to the last event.
        closed: those whose connection the server closed before.
        refused: those of them that got no stream.
        deliveries: events that arrived.
        disordered: events whose seq wasn't the last one's successor.
        p50_ms, p90_ms, p99_ms, max_ms: from the publisher's hand to the client, over the timed events.
        timed: how many those are.
        cpu_seconds: what receiving took.
        seconds: from the first connect to the end.
        bytes: received, with the transfer coding.
    """

    clients: int
    complete: int
    closed: int
    refused: int
    deliveries: int
    disordered: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    timed: int
    cpu_seconds: float
    seconds: float
    bytes: int


class Clients:
    """Clients that are connected, or connecting."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker

    def wait_until_ready(self) -> float:
        """Wait until each has its stream; gives the seconds that took, where they are counted.

        Raises:
            ConnectionError: some were closed instead.
        """
        ready = self._talker.hear()
        if ready.get("closed"):
            raise ConnectionError(f"{ready['closed']} clients got no stream")
        return float(ready.get("seconds", 0))

    def wait_for_the_end(self) -> Received:
        """Wait until each has the last event, or their time is up."""
        return Received(**self._talker.hear())

    def wait_until_reset(self) -> int:
        """Wait until each connection was reset; gives how many were, and not closed by the server before."""
        return int(self._talker.hear(PATIENCE_SECONDS)["resets"])

    def kill(self) -> None:
        """End all connections at once, as the loss of a network would."""
        self._talker.process.kill()
        self._talker.process.wait()


@contextlib.contextmanager
def clients(
    mode: str,
    port: int,
    count: int,
    targets: Iterable[str],
    *,
    on: Collection[int] = cores.OTHERS,
    **limits: float,
) -> Generator[Clients]:
    """So many clients, which begin to connect at once.

    Args:
        mode: `stream`, `slow` or `reset`; see bench/load.c.
        port: of the server.
        count: how many.
        targets: request targets, each optionally with a tab and a cursor; they are dealt out in turn.
        on: the cores that they run on; any if none is given.
        limits: its options, such as until, seconds, connecting.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".targets") as file:
        file.write("".join(f"{target}\n" for target in targets))
        file.flush()
        words = ["--port", str(port), "--clients", str(count), "--paths", file.name]
        words += [word for name, value in limits.items() for word in (f"--{name}", f"{value:g}")]
        with talker([str(program()), mode, *words], on) as talking:
            yield Clients(talking)
