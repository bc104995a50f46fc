"""GET /metrics: a pod's metrics, and how long the queues are just now."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from redis.asyncio import Redis

from api import metrics
from api.openapi import described
from api.paths import METRICS_PATH
from events.connect import AWAY
from events.graphs import GraphDirectory
from events.metrics import LOG_UP
from events.model import now_ms
from events.queue import Dispatcher
from events.scraping import exposition

router = APIRouter()

FRESH_SECONDS = 1.0
"""However many scrapers there are, Redis is asked once in so long."""

PATIENCE_SECONDS = 2.0
"""What Redis has for its answers; Prometheus waits for 10 s by itself."""


class SystemGauges:
    """What a pod tells of the whole system, looked up when somebody wants to know.

    While Redis is away there are no such figures: a queue that can't be seen isn't empty.

    Args:
        redis: the log's.
        graphs: names the pools of workers.
        dispatcher: knows their queues.
    """

    def __init__(self, redis: Redis, graphs: GraphDirectory, dispatcher: Dispatcher) -> None:
        self._redis = redis
        self._graphs = graphs
        self._dispatcher = dispatcher
        self._pools: Collection[str] = ()
        self._looked_at = -math.inf
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """Look, unless somebody has just done so."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= FRESH_SECONDS:
                await self._look_at_log()
                await self._look_at_queues()
                self._looked_at = time.monotonic()

    def forget(self) -> None:
        """Look anew the next time."""
        self._looked_at = -math.inf

    async def _look_at_log(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._redis.ping()
                self._pools = {graph.pool for graph in (await self._graphs.all()).values()}
            LOG_UP.set(1)
        except (*AWAY, TimeoutError):
            LOG_UP.set(0)

    async def _look_at_queues(self) -> None:
        for gauge in (metrics.QUEUE_DEPTH, metrics.QUEUE_AGE):
            gauge.clear()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._dispatcher.check()
                for pool in self._pools:
                    depth, since_ms = await self._dispatcher.waiting(pool)
                    metrics.QUEUE_DEPTH.labels(pool).set(depth)
                    age = 0 if since_ms is None else max(0, now_ms() - since_ms)
                    metrics.QUEUE_AGE.labels(pool).set(age / 1000)
            metrics.QUEUE_UP.set(1)
        except (*AWAY, TimeoutError):
            metrics.QUEUE_UP.set(0)


async def _gauges(request: Request) -> SystemGauges:
    return request.app.state.pod.gauges


@router.get(METRICS_PATH, response_class=Response, **described.METRICS)
async def read_metrics(request: Request, gauges: Annotated[SystemGauges, Depends(_gauges)]) -> Response:
    """Read the pod's metrics, as OpenMetrics if the `Accept` names it."""
    await gauges.refresh()
    body, media_type = exposition(request.headers.get("accept", ""))
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": media_type})
