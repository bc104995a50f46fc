"""StreamPlaces: which of its principals' places this pod's streams have, held on as long as they're open."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from api.auth.principal import NOBODY_ASKED, Principal
from api.problems import passing
from events.connect import AWAY
from events.quotas import Owner, StreamQuota

HOLD_SECONDS = 10.0
"""How often a pod says that its streams are still open."""

LIFE_SECONDS = 30.0
"""How long after that a place is over that wasn't held on."""

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Place:
    """A stream's place among those of its principal.

    Attributes:
        owner: who it's counted for.
        name: like no other's.
        used: it has its stream, and is given back when that ends.
    """

    owner: Owner
    name: str
    used: bool = False


class StreamPlaces:
    """The places of this pod's streams. They are over by themselves soon after the pod has died.

    Args:
        quota: counts them, over all pods.
        limit: how many a principal may have; 0 for any number.
        hold_seconds: how often they are held on; some times within their life.
    """

    def __init__(self, quota: StreamQuota, *, limit: int, hold_seconds: float = HOLD_SECONDS) -> None:
        self._quota = quota
        self._limit = limit
        self._hold_seconds = hold_seconds
        self._pod = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._held: defaultdict[Owner, set[Place]] = defaultdict(set)
        self._left: defaultdict[Owner, set[Place]] = defaultdict(set)
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def reserve(self, principal: Principal) -> AsyncGenerator[Place | None]:
        """Take a place; it's given back at the end unless it's used by then. None if nobody counts.

        Raises:
            Problem: 429 `too_many_streams`: there is none.
            redis.exceptions.RedisError, OSError: Redis is away; then it has no stream to give either.
        """
        if not self._limit or principal == NOBODY_ASKED:
            yield None
            return
        place = Place(Owner(principal.tenant, principal.subject), f"{self._pod}:{next(self._numbers)}")
        if not await self._quota.take(place.owner, place.name, self._limit):
            detail = f"You have {self._limit} streams open, your limit over all pods; close one, or wait."
            raise passing("too_many_streams", "Too many streams are open", detail, 429)
        try:
            yield place
        finally:
            if not place.used:
                self.leave(place)

    def hold(self, place: Place | None) -> None:
        """Hold a place on until it's left: its stream is open."""
        if place is not None:
            self._held[place.owner].add(place)

    def leave(self, place: Place | None) -> None:
        """Give a place back, as soon as Redis can be told."""
        if place is None:
            return
        self._held[place.owner].discard(place)
        if not self._held[place.owner]:
            del self._held[place.owner]
        self._left[place.owner].add(place)
        self._changed.set()

    async def run(self) -> None:
        """Tell Redis, until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._hold_seconds
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            self._changed.clear()
            if loop.time() >= due:
                due = loop.time() + self._hold_seconds
                await self._hold_on()
            await self.give_back()

    async def give_back(self) -> None:
        """Tell Redis of the places that were left; those that it can't be told of are kept for later."""
        left = {owner: set(places) for owner, places in self._left.items() if places}
        if not left:
            return
        with contextlib.suppress(*AWAY):
            await self._quota.leave(_names(left))
            for owner, places in left.items():
                self._left[owner] -= places
                if not self._left[owner]:
                    del self._left[owner]

    async def _hold_on(self) -> None:
        if not self._held:
            return
        try:
            await self._quota.hold(_names(self._held))
        except AWAY as error:
            log.warning("the places of %d principals' streams weren't held on: %s", len(self._held), error)


def _names(places: Mapping[Owner, set[Place]]) -> dict[Owner, list[str]]:
    return {owner: [place.name for place in those] for owner, those in places.items()}
