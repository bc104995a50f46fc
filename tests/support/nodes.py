"""Keys and nodes of a Cluster, as tests need them."""

from __future__ import annotations

from tests.support.cluster import Cluster
from tests.support.node import Node


def another(servers: Cluster, node: Node) -> Node:
    """Some other primary."""
    return next(one for one in servers.primaries() if one is not node)


def apart(servers: Cluster, tag: str, count: int) -> list[str]:
    """Keys, of which not all are at one node."""
    keys = [f"{tag[1:-1]}:{number}" for number in range(count)]
    assert len({servers.owner_of(key).port for key in keys[:20]}) > 1
    return keys


def key_of(servers: Cluster, node: Node) -> str:
    """A key at that node."""
    return next(key for key in map(str, range(10_000)) if servers.owner_of(key) is node)
