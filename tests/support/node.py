"""One server of a Cluster, and what it knows of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from tests.support.server import HERE, Place, Server, free_port

NODE_TIMEOUT_MS = 1500
"""A node that is silent for so long is suspected; its replica has its place about a second later."""

OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": str(NODE_TIMEOUT_MS),
    # With "yes", the default, one shard's failure makes all others refuse their commands as well.
    "cluster-require-full-coverage": "no",
    # Whose replica a node is, is the test's to say.
    "cluster-allow-replica-migration": "no",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
    "enable-debug-command": "yes",
}


class Node(Server):
    """One of a Cluster's servers; its `tls_port` speaks TLS if the options name a certificate.

    Attributes:
        bus: the port on which the nodes talk to each other.
        tls_port: where clients may speak TLS, if they may.
        name: its node id.
    """

    def __init__(self, binary: Path, options: Sequence[str], password: str = "", place: Place = HERE) -> None:
        self.bus, self.tls_port = free_port(), free_port()
        given = {**OPTIONS, "cluster-port": str(self.bus)}
        if password:
            given |= {"requirepass": password, "masterauth": password}
        if "--tls-cert-file" in options:
            given["tls-port"] = str(self.tls_port)
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        super().__init__(binary, [*words, *options], place=place, password=password)
        self.name: str = self.call("CLUSTER", "MYID").decode()

    def view(self) -> list[Line]:
        """What it knows of each node; nothing while it doesn't answer."""
        with contextlib.suppress(RedisError):
            return [Line.parse(line) for line in self.call("CLUSTER", "NODES").decode().splitlines()]
        return []


@dataclass(frozen=True, slots=True)
class Line:
    """What a node knows of one (https://redis.io/docs/latest/commands/cluster-nodes/).

    Attributes:
        name: that node's id.
        flags: such as `master` and `fail`.
        epoch: of its configuration; of two that claim a slot, the higher one has it.
        slots: what it serves.
    """

    name: str
    flags: frozenset[str]
    epoch: int
    slots: tuple[range, ...]

    @classmethod
    def parse(cls, text: str) -> Line:
        """One line of CLUSTER NODES; slots on their way (`[...]`) count where they are."""
        name, _, flags, _, _, _, epoch, _, *slots = text.split()
        pairs = [slot.partition("-") for slot in slots if not slot.startswith("[")]
        served = tuple(range(int(first), int(last or first) + 1) for first, _, last in pairs)
        return cls(name, frozenset(flags.split(",")), int(epoch), served)
