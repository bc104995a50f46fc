"""The client of a Cluster whose nodes freeze, die and take each other's place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from events.connect import AWAY, connect, patiently, sibling
from events.routes import routes
from events.servers.pool import borrowed
from events.wire import Wire
from tests.support.cluster import Cluster, cluster
from tests.support.node import Node
from tests.support.server import free_port
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """Three primaries with a replica each; each test leaves all of them alive and settled."""
    with cluster() as it:
        yield it


def key_at(servers: Cluster, wanted: Callable[[Node], bool]) -> str:
    """A new key whose owner is such a one."""
    while not wanted(servers.owner_of(key := uuid4().hex)):
        pass
    return key


async def test_a_node_that_is_frozen_holds_up_nobody_else(servers: Cluster, client: Any) -> None:
    """All its connections wait; commands, pipelines and scripts for the others go on."""
    frozen = servers.primaries()[0]
    there = key_at(servers, lambda node: node is frozen)
    others = [key_at(servers, lambda node: node is not frozen) for _ in range(8)]
    script = client.register_script("return redis.call('APPEND', KEYS[1], 'x')")
    await client.get(there)
    frozen.freeze()
    try:
        waiting = [asyncio.create_task(client.get(there)) for _ in range(10)]
        for key in others:
            await client.set(key, "")
            assert await script(keys=[key]) == 1
        pipe = client.pipeline(transaction=False)
        for key in others:
            pipe.get(key)
        assert await pipe.execute() == [b"x"] * 8
        assert not any(task.done() for task in waiting)
    finally:
        frozen.thaw()
        await servers.settled()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(found is None or isinstance(found, AWAY) for found in outcomes)


async def test_a_replica_that_takes_over_is_found(servers: Cluster, client: Any) -> None:
    """The dead one's client is let go, and is there again if it leads again; each change is told."""
    ways, dead = routes(client), servers.primaries()[0]
    key = key_at(servers, lambda node: node is dead)
    await client.set(key, "x")
    replica, slot = servers.replicas_of(dead)[0], servers.slot(key)
    await wait_until(lambda: replica.call("CLUSTER", "COUNTKEYSINSLOT", slot) == 1)
    before, version = ways.node(key), ways.version
    await servers.kill(dead)
    assert await patiently(lambda: client.get(key)) == b"x"
    assert ways.node(key) is not before
    assert before not in ways.nodes()
    assert len(ways.nodes()) == 3
    assert ways.version > version
    heir = servers.owner_of(key)
    await servers.restart(dead)
    assert await servers.failover(heir) is dead
    assert await patiently(lambda: client.get(key)) == b"x"
    assert ways.node(key) is before
    async with borrowed(before) as connection:
        assert ways.serves(connection, key)
        assert not ways.serves(connection, key_at(servers, lambda node: node is not dead))


async def test_a_command_whose_reply_is_lost_is_not_sent_again(servers: Cluster) -> None:
    """Nobody knows whether it was executed; here it is, later, once."""
    client: Any = connect(servers.url, timeout=0.5)
    slow = servers.primaries()[0]
    key = key_at(servers, lambda node: node is slow)
    await client.set(key, 0)
    slow.freeze()
    try:
        with pytest.raises(RedisTimeoutError):
            await client.incr(key)
        pipe = client.pipeline(transaction=False)
        pipe.incr(key)
        with pytest.raises((RedisTimeoutError, RedisConnectionError)):
            await pipe.execute()
    finally:
        slow.thaw()
        await servers.settled()

    async def executed() -> bool:
        return int(await patiently(lambda: client.get(key))) >= 1

    await wait_until(executed)
    assert int(await client.get(key)) <= 2
    await client.aclose()


async def test_many_failing_commands_ask_for_one_map(servers: Cluster, client: Any) -> None:
    """However many they are, nodes are asked a few times a second."""
    dead = servers.primaries()[0]
    key = key_at(servers, lambda node: node is dead)
    await client.get(key)
    asked, since = sum(map(_maps_told, servers.nodes)), time.monotonic()
    before = _maps_told(dead)
    await servers.kill(dead)
    for _ in range(5):
        attempts = [client.get(key) for _ in range(100)]
        await asyncio.gather(*attempts, return_exceptions=True)
    others = [node for node in servers.nodes if node is not dead]
    told = sum(map(_maps_told, others)) - (asked - before)
    assert told <= 2 + 4 * (time.monotonic() - since)
    await servers.successor(dead)
    await servers.restart(dead)


def _maps_told(node: Node) -> int:
    line = node.told("commandstats").get("cmdstat_cluster|slots", "")
    return int(line.partition("'calls': ")[2].partition(",")[0] or 0)


async def test_a_connection_to_any_node_finds_another_one(servers: Cluster, client: Any) -> None:
    """When its own is killed: so bells ring on, and pools of one connection go on."""
    lone: Any = sibling(client)
    for _ in range(2):
        heard: list[Any] = []
        lost = asyncio.Event()
        wire = Wire(client, heard.append, lost.set)
        await patiently(wire.connect)
        wire.send("SUBSCRIBE", "bell")
        await wait_until(lambda found=heard: bool(found))
        (node,) = [one for one in servers.nodes if one.running and one.call("PUBSUB", "CHANNELS")]
        await servers.kill(node)
        await lost.wait()
        await wire.close()
        assert await patiently(lambda: lone.ping())
        await servers.successor(node)
        await servers.restart(node)
    await lone.aclose()


async def test_some_of_the_named_nodes_may_be_dead(servers: Cluster) -> None:
    """One that lives is enough, be it a replica."""
    living = servers.replicas_of(servers.primaries()[0])[0]
    client: Any = connect(f"redis+cluster://127.0.0.1:{free_port()},{living.address},localhost:{free_port()}")
    key = uuid4().hex
    await client.set(key, "x")
    assert await client.get(key) == b"x"
    await client.aclose()


async def test_a_cluster_that_is_not_there_is_away() -> None:
    """For a command, a pipeline and whoever wants the map; nothing hangs, and nothing is left behind."""
    client: Any = connect(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}")
    pipe = client.pipeline(transaction=False)
    pipe.get("key")
    for ask in (lambda: client.get("key"), client.ping, pipe.execute, routes(client).ready):
        with pytest.raises(AWAY):
            await ask()
    assert routes(client).version == 0
    await client.aclose()


async def test_what_is_done_on_new_connections_is_done_on_each_nodes(servers: Cluster) -> None:
    """Not on those to any node, which serve no key."""
    seen: list[tuple[str, int]] = []

    async def connected(connection: Any) -> None:
        await connection.send_command("PING")
        assert await connection.read_response() == b"PONG"
        seen.append((connection.host, connection.port))

    client: Any = connect(servers.url, connected=connected)
    await client.ping()
    assert seen == []
    for number in range(60):
        await client.get(str(number))
    assert sorted(port for _, port in seen) == sorted(node.port for node in servers.primaries())
    await client.aclose()
