"""CredentialWatch: a stream ends when the credential that opened it does."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection

from api import sse
from api.auth.principal import Principal
from api.connection import Connection
from events.connect import AWAY

TICK_SECONDS = 1.0
"""How late a stream may end after its credential has expired."""

RECHECK_SECONDS = 10.0
"""How late it may end after a revocation whose bell wasn't heard."""

StillValid = Callable[[Collection[str]], Awaitable[set[str]]]
"""Which of those credentials haven't been revoked."""


class CredentialWatch:
    """The open streams, by what opened them.

    Args:
        still_valid: asks which credentials hold; None if none can be revoked.
    """

    def __init__(self, still_valid: StillValid | None = None) -> None:
        self._still_valid = still_valid
        self._open: defaultdict[Principal, set[Connection]] = defaultdict(set)

    def add(self, connection: Connection, principal: Principal) -> None:
        """Watch a stream; one that no credential opened goes on by itself."""
        if principal.credential:
            self._open[principal].add(connection)

    def remove(self, connection: Connection, principal: Principal) -> None:
        """Let go of a stream that is over."""
        streams = self._open.get(principal)
        if streams is not None:
            streams.discard(connection)
            if not streams:
                del self._open[principal]

    def credentials(self) -> set[str]:
        """Those that have open streams."""
        return {principal.credential for principal in self._open}

    def revoked(self, credential: str) -> None:
        """End the streams that a credential has opened."""
        self._end([principal for principal in self._open if principal.credential == credential])

    async def run(self) -> None:
        """Watch until cancelled."""
        rechecked = time.monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.time()
            self._end([it for it in self._open if it.expires_at is not None and it.expires_at <= now])
            if time.monotonic() - rechecked >= RECHECK_SECONDS:
                rechecked = time.monotonic()
                await self.recheck()

    async def recheck(self) -> None:
        """End the streams whose credentials have been revoked; what nobody can tell now stays as it is."""
        credentials = self.credentials()
        if self._still_valid is None or not credentials:
            return
        try:
            valid = await self._still_valid(credentials)
        except AWAY:
            return  # nobody can be served anew meanwhile either
        for credential in credentials - valid:
            self.revoked(credential)

    def _end(self, principals: Collection[Principal]) -> None:
        for principal in principals:
            for connection in list(self._open.get(principal, ())):
                connection.end(sse.farewell("your credential has ended"))
