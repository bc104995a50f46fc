"""The Clusters and Sentinels that other tests stand on do what those tests believe."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from tests.support.cluster import Cluster, cluster
from tests.support.sentinel import sentinel

KEYS = [f"{{tag}}:{number}" for number in range(250)]


def _filled(it: Cluster) -> int:
    """Write all keys; gives their slot."""
    for key in KEYS:
        it.owner_of(KEYS[0]).call("SET", key, "value")
    return it.slot(KEYS[0])


async def test_a_slot_moves_with_its_keys() -> None:
    """Key by key and back in one go; meanwhile its owner says ASK of keys that have gone, and then MOVED."""
    with cluster() as it:
        slot, source = _filled(it), it.owner_of(KEYS[0])
        target = next(node for node in it.primaries() if node is not source)
        await it.begin_migration(slot, target)
        await it.move_keys(slot, target)
        with pytest.raises(ResponseError, match=f"^ASK {slot} {target.address}$"):
            source.call("GET", KEYS[0])
        await it.end_migration(slot, target)
        await it.settled()
        with pytest.raises(ResponseError, match=f"^MOVED {slot} {target.address}$"):
            source.call("GET", KEYS[0])
        await it.migrate_slot(slot, source, atomic=True)
        assert it.owner(slot) is source
        assert source.call("CLUSTER", "COUNTKEYSINSLOT", slot) == len(KEYS)


async def test_a_replica_takes_the_place_of_a_killed_primary() -> None:
    """With what it has. Who was killed comes back as a replica, and may be told to lead again."""
    with cluster() as it:
        slot = _filled(it)
        dead = it.owner(slot)
        await it.kill(dead)
        assert it.owner(slot) is dead
        heir = await it.successor(dead)
        assert heir.call("GET", KEYS[0]) == b"value"
        await it.restart(dead)
        assert it.replicas_of(it.owner(slot)) == [dead]
        assert await it.failover(heir) is dead
        assert it.owner(slot) is dead


async def test_sentinels_have_a_replica_take_the_primarys_place() -> None:
    """When it's killed, and when they are told to; each time all servers have a place afterwards."""
    with sentinel() as it:
        first = it.primary()
        first.call("SET", "key", "value")
        second = await it.switch()
        assert second is not first
        assert await it.kill_primary() is second
        third = await it.successor(second)
        assert third.call("GET", "key") == b"value"
        await it.restart(second)
        assert it.primary() is third
        assert second.call("ROLE")[:3] == [b"slave", third.host.encode(), third.port]
