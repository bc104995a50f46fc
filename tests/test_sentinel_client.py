"""The client of a primary that sentinels name: it follows the primary, wherever a failover puts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from events.connect import AWAY, connect, patiently, sibling
from events.queue import arq_client
from events.routes import routes
from events.servers.inquiry import Inquiry
from events.servers.refusals import Parser
from events.wire import Wire
from tests.support.sentinel import CONFIGURATION, SERVICE, Watched, sentinel
from tests.support.server import Server, free_port, server, server_binary
from tests.support.waiting import wait_until

PASSWORD = "s3cret"


@pytest.fixture(scope="module")
def servers() -> Iterator[Watched]:
    """A primary, two replicas and three sentinels; each test leaves them alive and settled."""
    with sentinel(password=PASSWORD) as it:
        yield it


@pytest.fixture
async def client(servers: Watched) -> AsyncGenerator[Any]:
    """A client as pods and workers have it."""
    it = connect(servers.url)
    yield it
    await it.aclose()


def url_of(*sentinels: Server | str) -> str:
    """The URL that names these sentinels."""
    addresses = ",".join(one if isinstance(one, str) else one.address for one in sentinels)
    return f"redis+sentinel://:{PASSWORD}@{addresses}/{SERVICE}"


async def test_everything_follows_the_primary(servers: Watched, client: Any) -> None:
    """It is killed: clients, their siblings, wires and arq's pool find its successor."""
    lone, arq = sibling(client), arq_client(servers.url, "queue")
    heard: list[Any] = []
    lost = asyncio.Event()
    wire = Wire(client, heard.append, lost.set)
    await wire.connect()
    await client.set("key", "x")
    dead = await servers.kill_primary()
    await lost.wait()
    await wire.close()
    successor = await servers.successor(dead)
    for one in (client, lone, arq):
        await patiently(lambda its=one: its.set("key", "y"))
    assert successor.call("GET", "key") == b"y"
    again = Wire(client, heard.append, lost.set)
    await patiently(again.connect)
    again.send("GET", "key")
    await wait_until(lambda: heard == [b"y"])
    await again.close()
    await lone.aclose()
    await arq.aclose(close_connection_pool=True)
    await servers.restart(dead)


async def test_a_primary_that_was_cut_off_is_left(servers: Watched, client: Any) -> None:
    """It comes back and believes that it leads, with its connections as they were; nobody asks it then."""
    lost = asyncio.Event()
    wire = Wire(client, lambda _: None, lost.set)
    await wire.connect()
    await client.set("key", "x")
    old = servers.primary()
    old.freeze()
    successor = await servers.successor(old)
    old.thaw()
    successor.call("SET", "key", "y")
    await routes(client).confirm()
    assert await patiently(lambda: client.get("key")) == b"y"
    await lost.wait()
    await wire.close()
    await servers.settled()


async def test_a_planned_change_is_followed(servers: Watched, client: Any) -> None:
    """As for an upgrade; the old primary lives on as a replica, and gets no more writes."""
    await client.set("key", "x")
    old = servers.primary()
    new = await servers.switch()
    await patiently(lambda: client.set("key", "z"))
    assert new.call("GET", "key") == b"z"
    ways = routes(client)
    assert (ways.slot("a"), ways.slot("b"), ways.version) == (0, 0, 0)
    assert ways.nodes() == (client,)
    assert ways.node("a") is client
    assert old.told("replication")["role"] == "slave"


async def test_dead_sentinels_are_no_hindrance(servers: Watched) -> None:
    """One that answers is enough, wherever it stands."""
    client: Any = connect(
        url_of(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", servers.sentinels[0])
    )
    assert await client.ping()
    await client.aclose()


async def test_who_has_answered_is_asked_first(servers: Watched) -> None:
    """So what is dead costs its time once, and not each time."""
    dead, living = ("127.0.0.1", free_port()), servers.sentinels[0]
    inquiry = Inquiry(
        [dead, (living.host, living.port)], {"connection_class": Connection, "parser_class": Parser}
    )
    assert await inquiry.ask(("PING",), lambda reply, by: (reply, by)) == (
        b"PONG",
        (living.host, living.port),
    )
    assert list(inquiry.addresses) == [(living.host, living.port), dead]


async def test_a_sentinel_that_knows_better_is_asked(servers: Watched) -> None:
    """One that takes a replica for the primary is cut off from the others: the replica says what it is."""
    replica = servers.replicas()[0]
    login = f"sentinel auth-pass {SERVICE} wrong\n"  # so it learns nothing of the others
    told = CONFIGURATION.format(host=replica.host, port=replica.port) + login
    mistaken = Server(server_binary("valkey"), ["--sentinel"], file=told)
    try:
        alone: Any = connect(url_of(mistaken))
        with pytest.raises(RedisConnectionError, match="is no primary of taskreel now"):
            await alone.ping()
        await alone.aclose()
        client: Any = connect(url_of(mistaken, *servers.sentinels))
        await patiently(lambda: client.set("key", "x"))
        assert servers.primary().call("GET", "key") == b"x"
        await client.aclose()
    finally:
        mistaken.close()


async def test_sentinels_that_know_no_such_service_say_so(servers: Watched) -> None:
    """It may be a slip of the pen, or they may learn of it."""
    client: Any = connect(servers.url.replace(f"/{SERVICE}", "/another"))
    with pytest.raises(RedisConnectionError, match=r"none of the servers can tell.*another") as refused:
        await client.ping()
    assert isinstance(refused.value, AWAY)
    await client.aclose()


async def test_a_connection_to_a_server_that_became_a_replica_is_closed() -> None:
    """On any kind of URL: behind a name, the next connection may well reach the new primary."""
    with server("valkey") as first, server("valkey") as second:
        client: Any = connect(first.url(), connections=1)
        own = await client.client_id()
        await client.set(key := uuid4().hex, "x")
        first.call("REPLICAOF", second.host, second.port)
        with pytest.raises(ReadOnlyError):
            await client.set(key, "y")
        assert await client.client_id() != own
        pipe = client.pipeline(transaction=True)
        own = await client.client_id()
        pipe.set(key, "y")
        with pytest.raises(ReadOnlyError):
            await pipe.execute()
        first.call("REPLICAOF", "NO", "ONE")
        assert await client.client_id() != own
        await client.set(key, "y")
        own = await client.client_id()
        assert await client.client_id() == own
        await client.aclose()
