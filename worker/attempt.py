"""One attempt at a task: what it starts from, the graph's stream into the log, and how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import uuid4

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command, StateSnapshot

from events.connect import RedisError
from events.errors import Fenced, QuotaExceeded, Sealed
from events.model import JSON, Event, EventType
from events.state import TaskState
from events.writer import AttemptWriter
from worker.attribution import RUNTIME_KEY, AttributingRuntime
from worker.failures import failed
from worker.fence import FENCE_KEY, Fence
from worker.graphs import Graph
from worker.lookback import Lookback
from worker.node_spans import NodeSpans
from worker.savers import take_thread, tidy_thread
from worker.stored import STORED_KEY, Stored
from worker.translate import STREAM_MODES, Translator, finished_nodes, in_words

log = logging.getLogger(__name__)

TIDY_SECONDS = 2.0
"""What thinning out checkpoints may take; a millisecond, unless Redis has just gone away."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where an attempt starts.

    Attributes:
        input: what LangGraph is given; None to go on from the checkpoint.
        resumed: what `task.resumed` tells, when a question was answered.
        done: the graph had finished already and only its terminal event is missing.
        checkpoint_id: of the checkpoint it goes on from, None from scratch.
        finished: what the log lacks of nodes that won't run again: `node.completed`, perhaps `node.started`.
        stored: the runs of all nodes of its step that won't run again.
    """

    input: JSON
    resumed: Mapping[str, JSON] | None = None
    done: bool = False
    checkpoint_id: str | None = None
    finished: tuple[Event, ...] = ()
    stored: frozenset[str] = frozenset()


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
        self._thread_id = thread_id
        self._stored = Stored()
        self._spans = NodeSpans()
        self._config: RunnableConfig = {
            "configurable": {
                "thread_id": thread_id,
                RUNTIME_KEY: AttributingRuntime(),
                STORED_KEY: self._stored,
            },
            "metadata": {"task_id": task_id},
        }

    async def begin(self, state: TaskState, lookback: Lookback) -> Beginning:
        """Decide what to start from. Giving LangGraph the input again would run the whole graph again."""
        snapshot, checkpoint_id, finished = await self._position()
        if checkpoint_id is None:
            return Beginning(state.input)
        untold = tuple(told for event in finished for told in _untold(event, lookback))
        stored = _runs(finished)
        beginning = Beginning(None, checkpoint_id=checkpoint_id, finished=untold, stored=stored)
        answer = orjson.loads(state.record.get("answer", "null"))
        # After a crash the answer may have been taken, and the graph have come to a question the log lacks.
        if answer and answer["interrupt_id"] in [question.id for question in snapshot.interrupts]:
            command: Command[str] = Command(resume={answer["interrupt_id"]: answer["value"]})
            resumed = answer if lookback.asked else None
            return replace(beginning, input=command, resumed=resumed)
        # `next` lacks the nodes whose writes are stored already: it may be empty before the step has ended.
        return replace(beginning, done=not snapshot.tasks)

    async def run(self, beginning: Beginning, writer: AttemptWriter, control: RunControl) -> Event:
        """Stream the graph into the log. Returns the event that ends the attempt, not yet appended.

        Raises:
            GraphDrained: `control` had it stop at the end of a superstep, or it must begin anew.
            Fenced: a newer attempt has opened.
            Sealed: the log was sealed, for its task was ended without waiting for its graph any longer.
        """
        translator, self._spans = Translator(beginning.stored), NodeSpans(beginning.stored)
        try:
            await self._take_thread(writer.claim.started.attempt, beginning)
            if beginning.resumed is not None:
                await writer.append(Event(EventType.TASK_RESUMED, beginning.resumed))
            for event in beginning.finished:
                await writer.append(event)
            if not beginning.done:
                await self._stream(beginning.input, translator, writer, control)
            if translator.interrupts:
                return Event(EventType.TASK_INTERRUPTED, {"interrupts": translator.interrupts})
            return Event(EventType.TASK_SUCCEEDED, {"result": self._output((await self._snapshot()).values)})
        except (Fenced, Sealed, GraphDrained):
            raise
        except QuotaExceeded as error:
            return failed("quota_exceeded", str(error))
        except Exception as error:
            return self._graph_error(error, translator.failed_node)
        finally:
            self._spans.close()

    async def tidy(self) -> None:
        """Thin out the thread's checkpoints, when the task is sealed; nothing is lost when that fails."""
        with suppress(TimeoutError, RedisError):
            async with asyncio.timeout(TIDY_SECONDS):
                await tidy_thread(cast("Any", self._graph.checkpointer), self._thread_id)

    async def _take_thread(self, attempt: int, beginning: Beginning) -> None:
        """No older attempt can store anything from now on, nor this one once a newer has come.

        What was stored since this attempt looked is gone on from as well, but by another attempt, whose first
        entry says so, and which tells what the log lacks of it.
        """
        configurable: dict[str, Any] = self._config.get("configurable", {})
        configurable[FENCE_KEY] = Fence(self._task_id, attempt)
        await take_thread(cast("Any", self._graph.checkpointer), self._thread_id, self._task_id, attempt)
        if attempt == 1:
            return
        _, checkpoint_id, finished = await self._position()
        if (checkpoint_id, _runs(finished)) != (beginning.checkpoint_id, beginning.stored):
            raise GraphDrained("an older attempt has gone further than this one saw")

    async def _position(self) -> tuple[StateSnapshot, str | None, list[Event]]:
        """The newest checkpoint, its id if it's this task's, and its step's nodes that won't run again."""
        snapshot = await self._snapshot(subgraphs=True)
        checkpoint_id = self._checkpoint_id(snapshot)
        return snapshot, checkpoint_id, [] if checkpoint_id is None else list(finished_nodes(snapshot))

    def _checkpoint_id(self, snapshot: StateSnapshot) -> str | None:
        """The checkpoint's id, if it is one of this task and not of an earlier one on the thread."""
        if (snapshot.metadata or {}).get("task_id") != self._task_id:
            return None
        return snapshot.config.get("configurable", {})["checkpoint_id"]

    async def _stream(
        self, graph_input: JSON, translator: Translator, writer: AttemptWriter, control: RunControl
    ) -> None:
        stream = self._graph.astream(
            graph_input,
            self._config,
            stream_mode=list(STREAM_MODES),
            subgraphs=True,
            version="v2",
            durability="sync",
            control=control,
        )
        async with aclosing(cast("Any", stream)) as parts:
            async for part in parts:
                self._spans.follow(part)
                await self._tell(cast("Mapping[str, Any]", part), translator, writer)

    async def _tell(self, part: Mapping[str, Any], translator: Translator, writer: AttemptWriter) -> None:
        """Append what a part tells: of a node's end once it's certain, and before anything builds on it."""
        node_id: str = part["data"]["id"] if part["type"] == "tasks" else ""
        ended = bool(node_id) and "result" in part["data"]
        if ended:
            await self._stored.wait(node_id)
        elif node_id:
            self._stored.started(node_id)
        for event in translator.translate(part):
            await writer.append(event)
        if ended:
            await writer.flush()
            self._stored.told(node_id)

    async def _snapshot(self, *, subgraphs: bool = False) -> StateSnapshot:
        return await self._graph.aget_state(self._config, subgraphs=subgraphs)

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
        more = {"node": node} if node else {}
        return failed("graph_error", in_words(error), **more, traceback_id=traceback_id)


def _runs(finished: Iterable[Event]) -> frozenset[str]:
    return frozenset(str(event.run) for event in finished)


def _untold(completed: Event, lookback: Lookback) -> Iterator[Event]:
    """What the log lacks of a node that has finished. Its start may have been superseded too soon."""
    if completed.run in lookback.finished:
        return
    if completed.run not in lookback.started:
        path = {name: value for name, value in completed.data.items() if name == "path"}
        yield Event(EventType.NODE_STARTED, path, completed.node, completed.run)
    yield completed
