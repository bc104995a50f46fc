"""Throttle: how often a principal may submit, and how many unfinished tasks it may have, over all pods.

The rate is counted by the library `limits`, in a moving window: within any 60 s there are never more submits
than the limit. Its sliding window estimates, and lets nearly twice as many pass at the seam of two windows.
The price is some 20 bytes in Redis for each submit of the last minute, little beside what its task takes.
Times are the pods' own: one whose clock is a second ahead lets a submit in a second early.

Differences to the library: its two scripts, to count and to look, are sent at once, on the pod's connections.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage.redis.bridge import RedisBridge
from starlette.types import Scope

from api.auth.principal import NOBODY_ASKED, Principal, principal_of
from api.problems import Problem, passing
from events.errors import NotStorable, ThreadBusy
from events.log import EventLog
from events.quotas import Owner, TaskQuota

_SCOPE = "taskreel.ratelimit"


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a principal is with its submits.

    Attributes:
        counted: this one was within the limit.
        remaining: how many more are.
        seconds: until there is one more.
    """

    counted: bool
    remaining: int
    seconds: float


class Throttle:
    """What a principal may submit. With TASKREEL_AUTH=off nobody has a limit.

    Args:
        log: whose Redis counts.
        quota: counts the unfinished tasks.
        submits_per_minute, max_unfinished: the limits; 0 for none.
    """

    def __init__(
        self, log: EventLog, quota: TaskQuota, *, submits_per_minute: int, max_unfinished: int
    ) -> None:
        self._log = log
        self._quota = quota
        self._submits_per_minute = submits_per_minute
        self._max_unfinished = max_unfinished

    async def count_submit(self, scope: Scope) -> None:
        """Count a request that submits, whatever comes of it, and note its answer's headers.

        Raises:
            Problem: 429 `too_many_submits`: it isn't counted, for there were too many in the last minute.
        """
        principal, limit = principal_of(scope), self._submits_per_minute
        if not limit or principal == NOBODY_ASKED:
            return
        rate = await self._rate(principal)
        seconds = max(math.ceil(rate.seconds), 1)
        # https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/
        scope[_SCOPE] = {
            "RateLimit-Policy": f'"submits";q={limit};w=60',
            "RateLimit": f'"submits";r={rate.remaining};t={seconds}',
        }
        if not rate.counted:
            detail = f"You have submitted {limit} times within a minute, your limit; go on in {seconds} s."
            headers = {"Retry-After": str(seconds)}
            raise Problem(429, "too_many_submits", "Too many submits", detail, headers=headers)

    @contextlib.asynccontextmanager
    async def unfinished(self, principal: Principal, task_id: str) -> AsyncGenerator[None]:
        """Count a task that is to be made within; until it's settled, or turns out to be impossible.

        Raises:
            Problem: 429 `too_many_tasks`: the principal has too many.
        """
        limit = self._max_unfinished
        if not limit or principal == NOBODY_ASKED:
            yield
            return
        owner = Owner(principal.tenant, principal.subject)
        if not await self._quota.take(owner, task_id, limit):
            detail = f"You have {limit} unfinished tasks, your limit; wait until one ends, or cancel one."
            raise passing("too_many_tasks", "Too many unfinished tasks", detail, 429)
        try:
            yield
        except (ThreadBusy, NotStorable):
            await self._quota.leave(owner, task_id)
            raise

    async def _rate(self, principal: Principal) -> Rate:
        name = self._log.keys.submits(principal.tenant, principal.subject)
        item = RateLimitItemPerMinute(self._submits_per_minute, namespace=name)
        key, now, window = item.key_for(), time.time(), item.get_expiry()
        pipe: Any = self._log.redis.pipeline(transaction=False)
        pipe.eval(RedisBridge.SCRIPT_ACQUIRE_MOVING_WINDOW, 1, key, now, item.amount, window, 1)
        pipe.eval(RedisBridge.SCRIPT_MOVING_WINDOW, 1, key, now - window, item.amount)
        counted, (oldest, number) = await pipe.execute()
        seconds = min(float(oldest) + window - now, window)  # Lua tells the time in tenths of milliseconds
        return Rate(bool(counted), item.amount - number, seconds)


def rate_headers(scope: Scope) -> Mapping[str, str]:
    """The headers of a request's answer that tell of its principal's rate; none if that isn't counted."""
    return scope.get(_SCOPE, {})
