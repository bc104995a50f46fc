"""What processes use: CPU time, memory, descriptors, and connections to their Redis, by Linux's own count."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

_CALLS = re.compile(r"^cmdstat_(\S+):calls=(\d+)", re.MULTILINE)
_PAGE = os.sysconf("SC_PAGE_SIZE")


def idle_seconds(cores: Collection[int]) -> float:
    """The time that these cores had nothing to do since the machine's start, together.

    It is measured, where the time that they were busy is sampled, some hundred times a second, which is wrong
    about what is done a thousand times a second.
    """
    names = {f"cpu{core}" for core in cores}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    idle = sum(int(line[4]) + int(line[5]) for line in lines if line[0] in names)  # waiting for a disk, too
    return idle / os.sysconf("SC_CLK_TCK")


class Measured:
    """Processes that are measured together.

    Args:
        pids: theirs.
        valkey: the port of their Redis.
    """

    def __init__(self, pids: Sequence[int], valkey: int) -> None:
        self._folders = [Path(f"/proc/{pid}") for pid in pids]
        self._valkey = valkey

    def cpu_seconds(self) -> float:
        """The time that all their threads ran, to the nanosecond; of threads that are still there."""
        return self._scheduled(0)

    def waited_seconds(self) -> float:
        """The time that they could have run, and something else did on their core."""
        return self._scheduled(1)

    def _scheduled(self, field: int) -> float:
        threads = (thread for folder in self._folders for thread in folder.glob("task/*/schedstat"))
        return sum(int(thread.read_text().split()[field]) for thread in threads) / 1e9

    def resident(self) -> int:
        """Bytes of memory now. What they share is counted for each."""
        return sum(int((folder / "statm").read_text().split()[1]) * _PAGE for folder in self._folders)

    def peak(self) -> int:
        """The most bytes of memory that each has ever held."""
        texts = [(folder / "status").read_text() for folder in self._folders]
        return sum(int(text.partition("VmHWM:")[2].split()[0]) * 1024 for text in texts)

    def descriptors(self) -> int:
        """Open files and sockets."""
        return sum(len(os.listdir(folder / "fd")) for folder in self._folders)

    def redis(self) -> tuple[int, float]:
        """Their connections to Redis, and the commands that came over those since each was made.

        The latter isn't a number if this Redis doesn't count them; Valkey 9 does.
        """
        own = {f"127.0.0.1:{local}" for local, remote in self._connections() if remote == self._valkey}
        lines = ask(self._valkey, "CLIENT LIST").splitlines()
        found = [client for client in map(_fields, lines) if client["addr"] in own]
        return len(found), sum(float(client.get("tot-cmds", "nan")) for client in found)

    def clients(self, port: int) -> int:
        """Connections that were made to this port of theirs, and that they haven't closed."""
        return sum(local == port and remote != 0 for local, remote in self._connections())

    def _connections(self) -> Iterator[tuple[int, int]]:
        """The local and the remote port of each TCP socket that they hold."""
        inodes = {inode for folder in self._folders for inode in _sockets(folder)}
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, *_, inode = line.split()[:10]
            if inode in inodes:
                yield int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)


def _fields(line: str) -> dict[str, str]:
    """A client of the list: `id=3 addr=127.0.0.1:6380 ...`."""
    return {name: value for name, _, value in (word.partition("=") for word in line.split())}


def _sockets(folder: Path) -> Iterator[str]:
    for entry in os.scandir(folder / "fd"):
        with contextlib.suppress(FileNotFoundError):
            link = os.readlink(entry.path)
            if link.startswith("socket:["):
                yield link[8:-1]


def ask(valkey: int, command: str) -> str:
    """The reply to one command; a client library would greet first, and be counted."""
    with socket.create_connection(("127.0.0.1", valkey), timeout=5) as connection:
        connection.sendall(command.encode() + b"\r\n")
        with connection.makefile("rb") as reply:
            return reply.read(int(reply.readline()[1:])).decode()


def calls(valkey: int) -> Counter[str]:
    """How often each command was called since the server's start; our own are left out."""
    found = {name: int(count) for name, count in _CALLS.findall(ask(valkey, "INFO commandstats"))}
    return Counter({name: count for name, count in found.items() if name not in ("info", "client|list")})
