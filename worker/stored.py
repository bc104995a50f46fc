"""Keeping what an attempt tells, and what the saver has, in step.

LangGraph streams a node's result as soon as it has it, stores the node's writes meanwhile, and in a subgraph
goes on to the next step without waiting for who reads the stream. A worker that is killed in between has told
of a node that will run again, or hasn't told of one that won't. So a node's end is told when its writes are
stored, and a subgraph's checkpoint is stored when the ends before it are told. (That of the graph itself is
stored by whoever reads the stream, as the next part is asked for.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from events.tracing import within
from worker.metrics import CHECKPOINTS, WRITES, timed

STORED_KEY = "__taskreel_stored"
"""Where a config's `configurable` holds a Stored; the underscores keep it out of the metadata."""

TELLING_SECONDS = 1.0
"""How long a subgraph waits at most; a node's end that LangGraph keeps to itself must not hold it up."""

Storing = Coroutine[Any, Any, None]


class Stored:
    """The node executions of an attempt: whose writes are on their way, and whose end is to be told."""

    def __init__(self) -> None:
        self._started: set[str] = set()
        self._under_way: dict[str, asyncio.Event] = {}
        self._ended: set[str] = set()
        self._told = asyncio.Event()

    def started(self, node_id: str) -> None:
        """The stream has told of its start, so it will tell of its end."""
        self._started.add(node_id)

    def told(self, node_id: str) -> None:
        """Its end is in the log."""
        self._started.discard(node_id)
        self._told.set()

    async def wait(self, node_id: str) -> None:
        """Wait until its writes are stored or refused; no time if none are on their way."""
        under_way = self._under_way.get(node_id)
        if under_way is not None:
            await under_way.wait()

    async def all_told(self) -> None:
        """Wait until all that have ended have been told of."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELLING_SECONDS):
                while self._ended & self._started:
                    self._told.clear()
                    await self._told.wait()

    def begin(self, node_id: str) -> None:
        """Its writes are on their way from now on."""
        self._under_way[node_id] = asyncio.Event()
        self._ended.add(node_id)

    async def follow(self, node_id: str, storing: Storing) -> None:
        """Store its writes, and let nobody wait any longer."""
        try:
            await storing
        finally:
            self._under_way.pop(node_id).set()


def telling(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """That saver, kept in step with the Stored of its configs; so are copies that `with_allowlist` makes."""
    kind: Any = type(saver)

    class Telling(kind):
        async def aput(self, config: RunnableConfig, *checkpoint: Any) -> RunnableConfig:
            configurable = config.get("configurable", {})
            stored: Stored | None = configurable.get(STORED_KEY)
            if stored is not None and configurable.get("checkpoint_ns"):
                await stored.all_told()
            with within("checkpoint"):
                return cast("RunnableConfig", await timed(CHECKPOINTS, super().aput(config, *checkpoint)))

        # No coroutine function: LangGraph calls this as the node ends, before it streams the result, and runs
        # what it gives later.
        def aput_writes(
            self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
        ) -> Storing:
            storing = cast("Storing", timed(WRITES, super().aput_writes(config, writes, task_id, task_path)))
            stored: Stored | None = config.get("configurable", {}).get(STORED_KEY)
            if stored is None:
                return storing
            stored.begin(task_id)
            return stored.follow(task_id, storing)

    saver.__class__ = Telling
    return saver
