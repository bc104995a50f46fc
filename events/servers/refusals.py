"""What Redis answers instead of doing something, as exceptions, and which of them are worth another try."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from redis._parsers import _AsyncHiredisParser  # pyright: ignore[reportPrivateUsage]
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class NoReplicasError(ResponseError):
    """The primary has fewer replicas than it must have to take writes (`min-replicas-to-write`)."""


class DiskError(ResponseError):
    """The server can't write to its disk, and so takes no writes (`MISCONF`)."""


REFUSED = (ReadOnlyError, AskError, ClusterDownError, TryAgainError, NoReplicasError, DiskError)
"""What a server says that can't do it now, and has done nothing.

It is a replica; another one has the key (`MovedError` is an `AskError`), or the Cluster has nobody for it, or
the replica no primary (`MasterDownError` is a `ClusterDownError`); a primary lacks replicas, or its disk.
"""

UNKNOWN = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a command raises whose reply didn't come, or that wasn't even sent."""

NOT_THERE = (*UNKNOWN, *REFUSED)
"""What a command raises when Redis isn't there, or isn't the one that can do it.

After those in `REFUSED` nothing was done. After the others nothing is known of what the command did.
"""

AWAY = (*NOT_THERE, OutOfMemoryError)
"""What a command raises when Redis isn't there, or can't write for now: worth another try.

After the last one nothing was done; of the others see `NOT_THERE`.
"""

_KINDS: Mapping[str, type[ResponseError]] = MappingProxyType(
    {
        "ASK": AskError,
        "CLUSTERDOWN": ClusterDownError,
        "CROSSSLOT": ClusterCrossSlotError,
        "MASTERDOWN": MasterDownError,
        "MISCONF": DiskError,
        "MOVED": MovedError,
        "NOREPLICAS": NoReplicasError,
        "TRYAGAIN": TryAgainError,
    }
)
"""By the word with which an error begins: those that redis-py knows on a Cluster alone, or not at all."""


def parse_error(text: str) -> Exception:
    """What Redis says is wrong, as one of redis-py's exceptions or of ours."""
    word, _, rest = text.partition(" ")
    kind = _KINDS.get(word)
    return cast("Any", _AsyncHiredisParser).parse_error(text) if kind is None else kind(rest)


class Parser(_AsyncHiredisParser):
    """A reader of replies that knows all these errors.

    Attributes:
        demoted: whether the server has said that it's a replica, since the connection was made.
    """

    demoted = False

    def on_connect(self, connection: Any) -> None:
        """Begin with a new connection."""
        self.demoted = False
        super().on_connect(connection)

    def parse_error(self, response: str) -> Exception:  # pyright: ignore[reportIncompatibleMethodOverride]
        """An error, as an exception."""
        error = parse_error(response)
        if isinstance(error, ReadOnlyError):
            self.demoted = True
        return error
