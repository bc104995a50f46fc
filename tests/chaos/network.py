"""A network of rooms, each of which can be cut off from the others: Linux's namespaces on a bridge."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass

from tests.chaos.outcome import NotHere
from tests.support.server import Place

NET = "198.18.{}."
"""Addresses for tests of networks, which no other network has (RFC 2544)."""


@dataclass(frozen=True, slots=True)
class Room:
    """A network namespace.

    Attributes:
        place: where its processes run.
        cable: the outer end of its only link.
    """

    place: Place
    cable: str

    def cut(self) -> None:
        """Pull the plug: nothing is refused, it's just never answered."""
        _ip("link", "set", self.cable, "down")

    def join(self) -> None:
        """Put it back."""
        _ip("link", "set", self.cable, "up")


@dataclass(frozen=True, slots=True)
class Network:
    """The rooms, and the place outside of them all, which reaches each."""

    rooms: list[Room]
    outside: Place


@contextlib.contextmanager
def network(rooms: int) -> Generator[Network]:
    """So many rooms on a bridge, which are gone when the context ends.

    Raises:
        NotHere: this isn't Linux, or isn't root, or has no `ip`.
    """
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        raise NotHere("it cuts networks, which needs Linux, root and `ip` (Debian: apt install iproute2)")
    name, net = f"trc{os.getpid()}", NET.format(os.getpid() % 254)
    with contextlib.ExitStack() as stack:
        _ip("link", "add", name, "type", "bridge")
        stack.callback(_ip, "link", "del", name)
        _ip("addr", "add", f"{net}1/24", "dev", name)
        _ip("link", "set", name, "up")
        yield Network([_room(stack, name, net, number) for number in range(rooms)], Place(f"{net}1"))


def _room(stack: contextlib.ExitStack, bridge: str, net: str, number: int) -> Room:
    space, cable, host = f"{bridge}-{number}", f"{bridge}v{number}", f"{net}{number + 2}"
    _ip("netns", "add", space)
    stack.callback(_ip, "netns", "del", space)
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
    stack.callback(_ip, "link", "del", cable)  # with its namespace it would go too, but some time later
    _ip("link", "set", cable, "master", bridge, "up")
    for words in (["addr", "add", f"{host}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
        _ip("-n", space, *words)
    _ip("-n", space, "link", "set", "lo", "up")
    return Room(Place(host, ("ip", "netns", "exec", space)), cable)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
