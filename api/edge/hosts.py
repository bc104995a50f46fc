"""Which names a pod answers to: what a request's Host header may say.

A page of a foreign site can have its own name resolved to an address of ours (DNS rebinding); the browser
then takes our answers for that site's. Its requests still say that name in Host.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_VALUE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*?)\.?(?::[0-9]{0,5})?")


PROBES = (b"/healthz", b"/readyz")
"""Who asks for these learns nothing but that the pod lives."""


class Hosts:
    """The names a pod goes by.

    Args:
        names: exact ones, or `*.example.com` for all below it. The port doesn't count, nor does the case.
        nameless: paths that may be asked for by any name.
    """

    def __init__(self, names: Iterable[str], nameless: Collection[bytes] = PROBES) -> None:
        self.nameless = nameless
        lower = [name.lower() for name in names]
        self._exact = frozenset(name for name in lower if not name.startswith("*."))
        self._below = tuple(name[1:] for name in lower if name.startswith("*."))

    def take(self, host: bytes) -> bool:
        """Whether a Host header names one of them."""
        match = _VALUE.fullmatch(host.decode("latin-1"))
        if match is None:
            return False
        name = match[1].lower()
        return name in self._exact or name.endswith(self._below)
