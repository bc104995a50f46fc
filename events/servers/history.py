"""Which history of writes a server has, by what it says of its replication. Pure."""

from __future__ import annotations

import re

_HISTORY = re.compile(rb"role:master\b.*?master_replid:(\w+)", re.DOTALL)


def history_of(told: bytes) -> bytes | None:
    """The id of a primary's history: another one after each promotion; None of a replica's.

    Args:
        told: the reply to INFO replication.
    """
    found = _HISTORY.search(told)
    return found[1] if found else None
