"""From what LangGraph streams to events of the log. Pure: a part in, events out.

LangGraph's stream parts are loosely typed; what they look like is known here and nowhere else. The shapes are
those of `astream(..., version="v2")` with the modes below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langgraph.types import StateSnapshot

from events.model import Event, EventType
from worker.attribution import Attributed
from worker.failures import shortened

STREAM_MODES = ("tasks", "custom", "messages")

MAX_NAME = 1000
"""Characters that are told of a node's name."""

_HIDDEN = ("__start__",)


@dataclass(slots=True)
class Translator:
    """Translates one attempt's stream parts, in their order.

    Attributes:
        stored: runs that an earlier attempt has finished; LangGraph tells their starts again, and no end.
        interrupts: the questions that the graph stopped at, `{id, value}` each.
        failed_node: the last node that raised.
    """

    stored: frozenset[str] = frozenset()
    interrupts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failed_node: str | None = None
    _texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def translate(self, part: Mapping[str, Any]) -> Iterator[Event]:
        """The events for one part. Their `node` and `run` can be stored; their data may be anything."""
        kind, namespace, data = part["type"], part["ns"], part["data"]
        match kind:
            case "tasks":
                yield from self._task(namespace, data)
            case "custom":
                yield _progress(data)
            case "messages":
                yield from self._message(*data)
            case _:
                return

    def _task(self, namespace: tuple[str, ...], data: Mapping[str, Any]) -> Iterator[Event]:
        node, run = _name(data["name"]), _name(data["id"][:8])
        if node in _HIDDEN:
            return
        if "result" not in data:
            if run not in self.stored:
                yield Event(EventType.NODE_STARTED, _scope(namespace), node, run)
            return
        if data["error"] is not None:
            self.failed_node = node
            yield Event(
                EventType.NODE_FAILED, {**_scope(namespace), "message": in_words(data["error"])}, node, run
            )
        elif data["interrupts"]:
            if not namespace:
                self.interrupts += [{"id": item["id"], "value": item["value"]} for item in data["interrupts"]]
        else:
            update = {**_scope(namespace), "update": data["result"]}
            yield Event(EventType.NODE_COMPLETED, update, node, run)

    def _message(self, message: BaseMessage, metadata: Mapping[str, Any]) -> Iterator[Event]:
        node, run = _origin(metadata)
        message_id = message.id or ""
        text = str(message.text)
        if not isinstance(message, AIMessageChunk):
            data = {"message_id": message_id, "role": message.type, "text": text}
            yield Event(EventType.MESSAGE_COMPLETED, data, node, run)
            return
        so_far = self._texts.setdefault(message_id, [])
        if text:
            so_far.append(text)
            yield Event(EventType.MESSAGE_DELTA, {"message_id": message_id, "text": text}, node, run)
        if message.chunk_position == "last":
            whole = "".join(self._texts.pop(message_id))
            data = {"message_id": message_id, "role": "ai", "text": whole}
            yield Event(EventType.MESSAGE_COMPLETED, data, node, run)


def finished_nodes(snapshot: StateSnapshot, namespace: tuple[str, ...] = ()) -> Iterator[Event]:
    """The `node.completed` of those nodes of an unfinished step that have finished, in subgraphs too."""
    for task in snapshot.tasks:
        if isinstance(task.state, StateSnapshot):
            yield from finished_nodes(task.state, (*namespace, task.name))
        if task.result is not None and task.name not in _HIDDEN:
            update = {**_scope(namespace), "update": task.result}
            yield Event(EventType.NODE_COMPLETED, update, _name(task.name), task.id[:8])


def in_words(error: object) -> str:
    """An error's type and the first line of its text, which may be no text, or raise when it's asked for."""
    try:
        text = str(error)
    except Exception as another:
        text = f"(its text can't be had: {type(another).__name__})"
    return _legible(shortened(f"{type(error).__name__}: {text}".splitlines()[0]))


def _progress(data: Any) -> Event:
    node = run = None
    if isinstance(data, Attributed):
        node, run, data = data.node and _name(data.node), data.run and _name(data.run), data.value
    shown = cast("Mapping[str, Any]", data) if isinstance(data, Mapping) else {"value": data}
    return Event(EventType.PROGRESS, shown, node, run)


def _scope(namespace: tuple[str, ...]) -> dict[str, Any]:
    """Inside a subgraph, the path of nodes that lead to it."""
    return {"path": [step.partition(":")[0] for step in namespace]} if namespace else {}


def _origin(metadata: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Node and run of a message: its checkpoint namespace ends in `<node>:<node execution's id>`."""
    _, _, last = str(metadata.get("langgraph_checkpoint_ns", "")).rpartition("|")
    node, _, run = last.partition(":")
    return (_name(node) or None, _name(run[:8]) or None)


def _name(name: str) -> str:
    """A node's name, or a run's, as an event can bear it outside its data, where nothing is dropped."""
    return _legible(name[:MAX_NAME])


def _legible(text: str) -> str:
    """A text without lone surrogates, which UTF-8 can't hold."""
    return text.encode("utf-8", "replace").decode()
