"""How many clients a pod takes: what was set, or what its limit of open files can carry.

Each connection is an open file. A process that has none left can't let anybody in to tell him so, and can't
reach Redis anew.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import sys
from dataclasses import dataclass

log = logging.getLogger(__name__)

OWN_FILES = 64
"""What a pod may hold besides its clients: it has 20 to 25, for the event loop, Redis and its log."""

OTHER_CONNECTIONS = 64
"""For requests that aren't streams, besides a quarter as many as there are streams.

Submits, history and health checks come on them, and who finds the pod full is told so there.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pod takes.

    Attributes:
        streams: open streams.
        connections: open connections, streams among them.
    """

    streams: int
    connections: int


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a request may take, before anybody looks at it.

    Attributes:
        header_bytes: of its request line and headers together.
        header_seconds: from its first byte, or a connection's beginning, to the end of its headers.
        body_seconds: from there to its end.
    """

    header_bytes: int = 32 * 1024
    header_seconds: float = 10
    body_seconds: float = 30


def needed_files(streams: int) -> int:
    """The open files of a pod that takes so many streams."""
    return OWN_FILES + OTHER_CONNECTIONS + streams + streams // 4


def carried(files: int, streams: int) -> Limits:
    """What so many open files can carry, if so many streams are wanted; it's one stream at least."""
    needed = needed_files(streams)
    if files >= needed:
        return Limits(streams, needed - OWN_FILES)
    connections = max(files - OWN_FILES, 1)
    return Limits(max((connections - OTHER_CONNECTIONS) * 4 // 5, 1), connections)


def prepare(max_streams: int) -> Limits:
    """Raise this process's limit of open files as far as it may, and find what it can carry.

    One line in the log says so if that's less than what was set.
    """
    needed = needed_files(max_streams)
    files = _raise_files(needed)
    found = carried(files, max_streams)
    if found.streams < max_streams:
        log.warning(
            "TASKREEL_MAX_STREAMS=%d needs %d open files and the limit is %d, so this pod takes %d streams. "
            "Raise the hard limit (ulimit -Hn, docker run --ulimit nofile=%d, LimitNOFILE=%d in systemd), "
            "or set TASKREEL_MAX_STREAMS=%d.",
            *(max_streams, needed, files, found.streams, needed, needed, found.streams),
        )
    return found


def _raise_files(needed: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS calls the hard limit infinite and takes no such thing
        if _number(soft) < needed:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _number(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
