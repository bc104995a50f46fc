"""A server whose history of writes is replaced by another one's behind open connections: readers are told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from uuid_utils import uuid7

from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from events.model import START
from events.tailer import Tailer
from tests.support.logs import ids, plant
from tests.support.readers import Collector, Plain, following
from tests.support.server import Server, server
from tests.support.waiting import wait_until

NEVER = 600.0


@dataclass(frozen=True)
class Pair:
    """Two servers that can take each other's history, and a log on one of them.

    Attributes:
        one, other: the servers.
        log: on the first one.
        task_id: of the log 0-1, 1-2 … 1-10.
    """

    one: Server
    other: Server
    log: EventLog
    task_id: str

    async def copy(self) -> None:
        """Have the other one hold the same log."""
        await self._follow(self.other, self.one, 10)

    async def replace(self) -> None:
        """Roll the first one's log back, by a failover to the other and back that cuts no connection."""
        await self.copy()
        self.other.call("XDEL", self.log.keys.log(self.task_id), *ids("1-6", "1-10"))
        await self._follow(self.one, self.other, 5)

    async def _follow(self, replica: Server, primary: Server, length: int) -> None:
        replica.call("REPLICAOF", primary.host, primary.port)
        key = self.log.keys.log(self.task_id)
        await wait_until(lambda: replica.told("replication")["master_link_status"] == "up")
        await wait_until(lambda: replica.call("XLEN", key) == length)
        replica.call("REPLICAOF", "NO", "ONE")


@pytest.fixture
async def pair(keys: Keys) -> AsyncGenerator[Pair]:
    """A log on a server that has another one beside it."""
    at_once = ("--repl-diskless-sync-delay", "0")
    with server("valkey", *at_once) as one, server("valkey", *at_once) as other:
        client = connect(one.url())
        it = Pair(one, other, EventLog(client, keys), str(uuid7()))
        await plant(it.log, it.task_id, ["0-1", *ids("1-2", "1-10")])
        yield it
        await client.aclose()


@pytest.mark.parametrize("resync", [0.1, NEVER])
async def test_a_history_that_is_replaced_behind_an_open_connection_is_told(
    pair: Pair, resync: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the tailer looks while the server is a replica, or only when it's a primary again."""
    monkeypatch.setattr("events.tailer.RESYNC_SECONDS", resync)
    tailer, reader = Tailer(pair.log, pair.log.redis, Plain()), Collector()
    await tailer.start()
    async with following(tailer, pair.task_id, START, reader):
        assert not tailer.settling(pair.task_id)
        await pair.replace()
        if resync == NEVER:
            assert reader.words[-1] == "1-10"
            (pump,) = tailer._pumps.values()  # pyright: ignore[reportPrivateUsage]
            pump.look()
        await wait_until(lambda: reader.words[-1] == "rewound:1-5")
        assert tailer.settling(pair.task_id)
        await plant(pair.log, pair.task_id, ["2-6"])
        await wait_until(lambda: reader.words[-1] == "2-6")
    await tailer.close()
    assert reader.words == ["0-1", *ids("1-2", "1-10"), "rewound:1-5", "2-6"]


async def test_a_server_that_stays_a_replica_is_not_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has may be behind, and what it had alone is gone: its readers are sent to ask elsewhere."""
    monkeypatch.setattr("events.tailer.RESYNC_SECONDS", 0.1)
    monkeypatch.setattr("events.pump.AWAY_SECONDS", 0.3)
    tailer, reader = Tailer(pair.log, pair.log.redis, Plain()), Collector()
    await tailer.start()
    async with following(tailer, pair.task_id, START, reader):
        await pair.copy()
        pair.one.call("REPLICAOF", pair.other.host, pair.other.port)
        await wait_until(lambda: reader.ended)
        assert tailer.settling(pair.task_id)
    await tailer.close()
