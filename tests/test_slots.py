"""Slots: which key of a command tells where it goes, and what a node says of who has which slot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot
from redis.exceptions import DataError

from events.keys import Keys
from events.servers.slots import SLOTS, is_for_all, owners, slot_of, slot_of_command

KEY = key_slot(b"key")
HERE = ("10.0.0.1", 7000)


@given(st.text(alphabet="{}ab", max_size=8), st.binary(max_size=8))
def test_a_key_has_the_slot_that_redis_gives_it(text: str, raw: bytes) -> None:
    """By its hash tag, if it has one that isn't empty; as text or as bytes."""
    assert slot_of(text) == slot_of(text.encode()) == key_slot(text.encode())
    assert slot_of(raw) == key_slot(raw)


def test_known_slots() -> None:
    """Of the specification (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/)."""
    assert slot_of("123456789") == 12739
    assert slot_of("{user1000}.following") == slot_of("{user1000}.followers") == slot_of("user1000")
    assert slot_of("foo{}{bar}") == key_slot(b"foo{}{bar}")
    assert slot_of("foo{{bar}}zap") == slot_of("{bar")


def test_all_keys_of_a_task_have_one_slot() -> None:
    """So a script may touch them together."""
    keys, task_id = Keys(), "acme/0190a3b4-0000-7000-8000-000000000000"
    its = (keys.log(task_id), keys.task(task_id), keys.lease(task_id), keys.tombstone(task_id))
    assert len({slot_of(key) for key in its}) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("GET", "key"), ("get", b"key"), (b"GET", "key"), ("ZADD", "key", "XX", 0, ""),
        ("EVAL", "return 1", 1, "key", "x"), ("EVALSHA", "a", "2", "key", "x"),
        ("XREAD", "COUNT", 1, "STREAMS", "key", "0"), ("XREAD", "streams", "key", "0"),
        ("OBJECT ENCODING", "key"), ("OBJECT", "ENCODING", "key"), ("XINFO STREAM", "key"),
        ("MEMORY", "USAGE", "key"),
    ],
)  # fmt: skip
def test_the_first_key_of_a_command_tells_its_slot(words: tuple[Any, ...]) -> None:
    """Wherever the command has it."""
    assert slot_of_command(words) == KEY


@pytest.mark.parametrize(
    "words",
    [("PING",), ("PUBLISH", "key", "x"), ("INFO", "memory"), ("EVAL", "return 1", 0), ("SCRIPT LOAD", "x")],
)
def test_a_command_without_a_key_has_no_slot(words: tuple[Any, ...]) -> None:
    """Any node may have it, or all."""
    assert slot_of_command(words) is None
    assert is_for_all(words) == (words[0] == "SCRIPT LOAD")


@pytest.mark.parametrize("words", [("GET",), ("EVAL", "x", 1), ("EVAL", "x", "many"), ("XREAD", "COUNT", 1)])
def test_a_command_that_lacks_its_key_is_refused(words: tuple[Any, ...]) -> None:
    """By us, since no node can be chosen."""
    with pytest.raises(DataError, match=str(words[0])):
        slot_of_command(words)


def test_a_map_names_each_slots_primary() -> None:
    """Slots that nobody serves have none; replicas don't count."""
    reply: list[Any] = [[0, 100, [b"a", 1, b"id"], [b"b", 2, b"id"]], [102, SLOTS - 1, [b"c", 3, b"id", []]]]
    found = owners(reply, HERE)
    assert found is not None
    assert len(found) == SLOTS
    assert (found[0], found[100], found[101], found[102], found[-1]) == (
        ("a", 1),
        ("a", 1),
        None,
        ("c", 3),
        ("c", 3),
    )


@pytest.mark.parametrize("host", [None, b""])
def test_a_node_that_does_not_know_its_address_is_where_it_was_asked(host: bytes | None) -> None:
    """As the specification of CLUSTER SLOTS has it."""
    found = owners([[0, 0, [host, 1, b"id"]]], HERE)
    assert found is not None
    assert found[0] == ("10.0.0.1", 1)


def test_a_node_without_the_name_it_should_have_is_at_its_address() -> None:
    """With cluster-preferred-endpoint-type hostname, `?` stands for a name that isn't known yet."""
    found = owners([[0, 0, [b"?", 1, b"id", [b"ip", b"10.0.0.9"]]]], HERE)
    assert found is not None
    assert found[0] == ("10.0.0.9", 1)


def test_a_node_that_knows_nobody_gives_no_map() -> None:
    """One that has just joined, say; another one is asked."""
    assert owners([], HERE) is None
