"""The client of a Cluster whose slots move, and while nobody serves one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ResponseError,
    TryAgainError,
)

from events.connect import AWAY, sibling
from events.routes import Routes, routes
from events.wire import Wire
from tests.support.cluster import Cluster
from tests.support.node import Node
from tests.support.nodes import another, apart, key_of
from tests.support.server import until
from tests.support.waiting import wait_until


async def test_a_slot_that_has_moved_is_followed(
    servers: Cluster, client: Any, ways: Routes, tag: str
) -> None:
    """By one redirection, after which the map is right; the new node has the client it had all along."""
    key = f"{tag}:a"
    await client.set(key, "x")
    old, version = ways.node(key), ways.version
    source = servers.owner_of(key)
    for atomic, target in ((False, another(servers, source)), (True, source)):
        await servers.migrate_slot(servers.slot(key), target, atomic=atomic)
        with contextlib.suppress(MovedError):  # unless it has heard of it already
            await ways.node(key).get(key)
        assert await client.get(key) == b"x"
        assert await ways.node(key).get(key) == b"x"
        assert ways.node(key) in ways.nodes()
        assert ways.version > version
        version = ways.version
    assert ways.node(key) is old


async def test_a_slot_on_its_way_is_asked_for_where_it_goes(
    servers: Cluster, client: Any, ways: Routes, tag: str
) -> None:
    """Keys that have gone and new ones, alone, in a pipeline and in a transaction; the map stays as it is."""
    stays, comes = f"{tag}:stays", f"{tag}:comes"
    await client.set(stays, "x")
    version, slot = ways.version, servers.slot(tag)
    source = servers.owner(slot)
    target = another(servers, source)
    await servers.begin_migration(slot, target)
    try:
        await client.hset(comes, "field", "y")
        assert await client.hgetall(comes) == {b"field": b"y"}
        for transaction in (True, False):
            pipe = client.pipeline(transaction=transaction)
            pipe.hset(comes, "other", "z")
            pipe.hgetall(comes)
            assert await pipe.execute() == [1, {b"field": b"y", b"other": b"z"}]
            await client.hdel(comes, "other")
        pipe = client.pipeline(transaction=False)
        pipe.get(stays)
        pipe.hget(comes, "field")
        assert await pipe.execute() == [b"x", b"y"]
        assert ways.version == version
        with pytest.raises(AskError) as refused:
            await ways.node(comes).get(comes)
        redirect = await ways.heed(refused.value)
        assert redirect is not None
        assert redirect.asking
        assert redirect.node is ways.node(key_of(servers, target))
        with pytest.raises(TryAgainError) as split:
            await client.delete(stays, comes)
        assert isinstance(split.value, AWAY)
        assert await ways.heed(split.value) is None
    finally:
        await servers.move_keys(slot, target)
        await servers.end_migration(slot, target)
        await servers.settled()
    assert await client.delete(stays, comes) == 2
    assert ways.version > version


async def test_a_slot_that_nobody_serves_is_told_as_passing(servers: Cluster, client: Any, tag: str) -> None:
    """Other slots are served meanwhile; and that one, once somebody does again."""
    slot, other = servers.slot(tag), next(key for key in "abcdef" if servers.slot(key) != servers.slot(tag))
    await client.set(tag, "x")
    owner = servers.owner(slot)
    for node in servers.nodes:
        with contextlib.suppress(ResponseError):  # another node's word may have come before ours
            node.call("CLUSTER", "DELSLOTS", slot)
    try:
        with pytest.raises(ClusterDownError) as refused:
            await client.get(tag)
        assert isinstance(refused.value, AWAY)
        pipe = client.pipeline(transaction=False)
        pipe.get(tag)
        pipe.set(other, 1)
        down, done = await pipe.execute(raise_on_error=False)
        assert isinstance(down, ClusterDownError)
        assert done is True
    finally:
        owner.call("CLUSTER", "ADDSLOTS", slot)
        await servers.settled()
    assert await client.get(tag) == b"x"


async def test_a_cancelled_command_leaves_nobody_a_strangers_reply(
    servers: Cluster, client: Any, tag: str
) -> None:
    """Whenever it comes: in a command, in a pipeline over all nodes, and where ASKING goes before."""
    keys, slot = apart(servers, tag, 12), servers.slot(tag)
    target = another(servers, servers.owner(slot))
    await servers.begin_migration(slot, target)
    try:
        keys += [f"{tag}:{number}" for number in range(4)]
        for key in keys:
            await client.set(key, key)
        for turn in range(400):
            doing = asyncio.create_task(_get(client, keys, turn))
            for _ in range(turn % 40):
                await asyncio.sleep(0)
            if doing.cancel():
                await asyncio.wait([doing])
                assert doing.cancelled()
        assert [await client.get(key) for key in keys] == [key.encode() for key in keys]
    finally:
        await servers.move_keys(slot, target)
        await servers.end_migration(slot, target)
        await servers.settled()


async def _get(client: Any, keys: list[str], turn: int) -> None:
    if turn % 3 == 0:
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.get(key)
        await pipe.execute()
    else:
        await client.get(keys[turn % len(keys)])


async def test_connections_to_any_node_leave_one_that_has_no_slots(servers: Cluster, client: Any) -> None:
    """Its bells would ring no more once it has left the Cluster; so whoever listens there goes elsewhere."""
    heard: list[Any] = []
    lost = asyncio.Event()
    wire = Wire(client, heard.append, lost.set)
    await wire.connect()
    wire.send("SUBSCRIBE", "bell")
    await wait_until(lambda: bool(heard))
    (node,) = [one for one in servers.nodes if one.call("PUBSUB", "CHANNELS")]
    slots = [slot for line in node.view() if line.name == node.name for slot in line.slots]
    target = another(servers, node)
    for span in slots:
        await asyncio.to_thread(_move_empty, servers, target, span)
    try:
        while not lost.is_set():  # it is seen when some command is sent where its key has gone
            await client.get(str(uuid4()))
        await wire.close()
        assert len(routes(client).nodes()) == 2
        elsewhere = sibling(client)
        assert await elsewhere.ping()
        await elsewhere.aclose()
    finally:
        for span in slots:
            await asyncio.to_thread(_move_empty, servers, node, span)
        await servers.settled()


def _move_empty(servers: Cluster, target: Node, span: range) -> None:
    """Give a span of slots to another node; their keys are lost."""
    for node in servers.nodes:
        node.call("FLUSHALL")

    def taken() -> bool:
        for node in servers.nodes:
            with contextlib.suppress(ResponseError):  # it has heard of it from another
                node.call("CLUSTER", "DELSLOTSRANGE", span[0], span[-1])
        try:
            target.call("CLUSTER", "ADDSLOTSRANGE", span[0], span[-1])
        except ResponseError:  # their owner has still told that it has them, before it heard
            return False
        return True

    until(taken, 10)
    target.call("CLUSTER", "BUMPEPOCH")
    servers.settle()
