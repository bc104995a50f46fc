"""One attempt at a task: what it starts from, the graph's stream into the log, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, StateSnapshot

from events.append import AttemptWriter
from events.errors import Fenced, QuotaExceeded
from events.model import JSON, Event, EventType
from events.tasks import TaskState
from worker.attribution import RUNTIME_KEY, AttributingRuntime
from worker.graphs import Graph
from worker.translate import STREAM_MODES, Translator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where an attempt starts.

    Attributes:
        input: what LangGraph is given; None to go on from the checkpoint.
        resumed: what `task.resumed` tells, when a question was answered.
        done: the graph had finished already and only its terminal event is missing.
        checkpoint_id: of the checkpoint it goes on from, None from scratch.
    """

    input: JSON
    resumed: Mapping[str, JSON] | None = None
    done: bool = False
    checkpoint_id: str | None = None


class Attempt:
    """Runs a graph for a task that has been claimed, or looks where it would start.

    Args:
        graph: to be run.
        task_id: for which task; the checkpoints of others on the same thread aren't its own.
        thread_id: LangGraph's thread.
    """

    def __init__(self, graph: Graph, task_id: str, thread_id: str) -> None:
        self._graph = graph.runnable
        self._task_id = task_id
        self._config: RunnableConfig = {
            "configurable": {"thread_id": thread_id, RUNTIME_KEY: AttributingRuntime()},
            "metadata": {"task_id": task_id},
        }

    async def begin(self, state: TaskState) -> Beginning:
        """Decide what to start from. Giving LangGraph the input again would run the whole graph again."""
        snapshot = await self._snapshot()
        if (snapshot.metadata or {}).get("task_id") != self._task_id:
            return Beginning(state.first.event["data"]["input"])
        checkpoint_id: str = snapshot.config.get("configurable", {})["checkpoint_id"]
        if snapshot.interrupts and "answer" in state.record:
            answer = orjson.loads(state.record["answer"])
            resume = answer["value"]
            if answer["interrupt_id"] is not None:
                resume = {answer["interrupt_id"]: resume}
            resumed = answer if state.answered else None
            return Beginning(Command(resume=resume), resumed=resumed, checkpoint_id=checkpoint_id)
        return Beginning(None, done=not snapshot.next, checkpoint_id=checkpoint_id)

    async def run(self, beginning: Beginning, writer: AttemptWriter) -> Event:
        """Stream the graph into the log. Returns the event that ends the attempt, not yet appended.

        Raises:
            Fenced: a newer attempt has opened.
        """
        translator = Translator()
        try:
            if beginning.resumed is not None:
                await writer.append(Event(EventType.TASK_RESUMED, beginning.resumed))
            if not beginning.done:
                await self._stream(beginning.input, translator, writer)
            if translator.interrupts:
                return Event(EventType.TASK_INTERRUPTED, {"interrupts": translator.interrupts})
            return Event(EventType.TASK_SUCCEEDED, {"result": self._output((await self._snapshot()).values)})
        except Fenced:
            raise
        except QuotaExceeded as error:
            return failed("quota_exceeded", str(error))
        except Exception as error:
            return self._graph_error(error, translator.failed_node)

    async def _stream(self, graph_input: JSON, translator: Translator, writer: AttemptWriter) -> None:
        stream = self._graph.astream(
            graph_input,
            self._config,
            stream_mode=list(STREAM_MODES),
            subgraphs=True,
            version="v2",
            durability="sync",
        )
        async with aclosing(cast("Any", stream)) as parts:
            async for part in parts:
                for event in translator.translate(cast("Mapping[str, Any]", part)):
                    await writer.append(event)

    async def _snapshot(self) -> StateSnapshot:
        return await self._graph.aget_state(self._config)

    def _output(self, values: Any) -> JSON:
        """The part of the state that the graph's output schema names."""
        channels = self._graph.output_channels
        if isinstance(channels, str):
            return values.get(channels)
        return {name: values[name] for name in channels if name in values}

    def _graph_error(self, error: Exception, node: str | None) -> Event:
        """The traceback goes to the worker's log; the task's log gets an id that leads to it."""
        traceback_id = uuid4().hex[:12]
        log.error("task %s failed, traceback %s", self._task_id, traceback_id, exc_info=error)
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        more = {"node": node} if node else {}
        return failed("graph_error", message, **more, traceback_id=traceback_id)


def failed(code: str, message: str, **more: JSON) -> Event:
    """The terminal event of a failure; the message is cut at 2,000 characters."""
    return Event(EventType.TASK_FAILED, {"code": code, "message": message[:2000], **more})
