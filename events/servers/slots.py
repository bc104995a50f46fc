"""Slots of a Cluster: which one a command's key has, and which server has which. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot
from redis.exceptions import DataError

from events.servers.urls import Address

ANYWHERE = frozenset(
    {
        "ACL", "AUTH", "CLIENT", "CLUSTER", "COMMAND", "ECHO", "HELLO", "INFO", "LASTSAVE", "PING", "PUBLISH",
        "PUBSUB", "ROLE", "TIME",
    }
)  # fmt: skip
"""Commands without a key that any server may execute."""

EVERYWHERE = frozenset({"CONFIG", "DBSIZE", "FLUSHALL", "FLUSHDB", "KEYS", "SCRIPT"})
"""Commands without a key that concern all primaries."""

_COUNTED = frozenset({"EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"})
_OF_TWO_WORDS = frozenset({"DEBUG", "MEMORY", "OBJECT", "XGROUP", "XINFO"})


def slot_of(key: object) -> int:
    """The slot of a key, which may be anything that redis-py takes as one."""
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def slot_of_command(words: Sequence[Any]) -> int | None:
    """The slot of the first key that a command names; None if it names none.

    The server refuses a command whose other keys have other slots.

    Raises:
        redis.exceptions.DataError: it lacks the key.
    """
    name = _name(words)
    if name in ANYWHERE or name in EVERYWHERE:
        return None
    try:
        at = _key_at(name, words)
        return None if at is None else slot_of(words[at])
    except (IndexError, ValueError):
        raise DataError(f"{name} names no key, so no server of the Cluster's can be chosen") from None


def owners(reply: Any, told_by: Address) -> list[Address | None] | None:
    """Who serves each slot, by a node's reply to CLUSTER SLOTS; None if it knows of nobody.

    Args:
        reply: https://redis.io/docs/latest/commands/cluster-slots/
        told_by: the node's address; its host stands for one that isn't told.
    """
    found: list[Address | None] = [None] * SLOTS
    for first, last, primary, *_ in reply:
        address = _address(primary, told_by)
        found[first : last + 1] = [address] * (last + 1 - first)
    return found if any(found) else None


def _address(node: Sequence[Any], told_by: Address) -> Address:
    host, port, *more = node
    name = _text(host or b"")
    if name == "?":  # it should go by its name, and has none yet
        others: list[Any] = more[1] if len(more) > 1 else []
        name = next(
            (_text(one) for kind, one in zip(others[::2], others[1::2], strict=True) if kind == b"ip"), ""
        )
    return (name or told_by[0], int(port))


def is_for_all(words: Sequence[Any]) -> bool:
    """Whether a command concerns all primaries."""
    return _name(words) in EVERYWHERE


def _name(words: Sequence[Any]) -> str:
    return _text(words[0]).partition(" ")[0].upper()


def _key_at(name: str, words: Sequence[Any]) -> int | None:
    if name in _COUNTED:
        return 3 if int(words[2]) > 0 else None
    if name == "XREAD":
        return 1 + [_text(word).upper() for word in words].index("STREAMS")
    if name in _OF_TWO_WORDS and " " not in _text(words[0]):
        return 2
    return 1


def _text(word: Any) -> str:
    return word.decode("latin-1") if isinstance(word, bytes) else str(word)
