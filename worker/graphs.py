"""The graphs that this worker serves: loaded by name from settings, and described for the pods."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from events.errors import SettingsError
from events.graphs import GraphDescriptor
from worker.drawing import draw, edges_of, nodes_of
from worker.serde import data_classes

T = TypeVar("T")

log = logging.getLogger(__name__)

SYNTAX = "NAME=module:attr, such as digest=examples.digest:graph"


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that is ready to run.

    Attributes:
        name: under which tasks name it.
        runnable: compiled, with this worker's checkpointer.
        descriptor: what pods must know of it.
    """

    name: str
    runnable: Pregel[Any, Any, Any, Any]
    descriptor: GraphDescriptor


def load_graphs(
    specs: Sequence[str], checkpointer: BaseCheckpointSaver[Any], pool: str = "default"
) -> Mapping[str, Graph]:
    """Import the graphs that the setting names, for a pool of workers.

    Raises:
        SettingsError: one line that names the graph that can't be loaded, and why.
    """
    if not specs:
        raise SettingsError(f"TASKREEL_GRAPHS is empty: name at least one graph as {SYNTAX}")
    return {graph.name: graph for graph in (_load(spec, checkpointer, pool) for spec in specs)}


def _load(spec: str, checkpointer: BaseCheckpointSaver[Any], pool: str) -> Graph:
    name, equals, target = spec.partition("=")
    module_name, colon, attribute = target.partition(":")
    if not (name and equals and module_name and colon and attribute):
        raise SettingsError(f"TASKREEL_GRAPHS holds {spec!r}. It takes {SYNTAX}")
    try:
        module = importlib.import_module(module_name)
        found: Any = getattr(module, attribute)
        if inspect.isroutine(found):
            found = found()
        # A checkpoint may be rebuilt as what LangGraph lists as harmless, and as this module's data classes.
        runnable = _compile(found, checkpointer.with_allowlist(data_classes(module_name)))
        return Graph(name, runnable, _describe(name, runnable, _first_paragraph(module.__doc__), pool))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SettingsError(f"graph {name!r} cannot be loaded from {target}: {reason}") from error


def _describe(
    name: str, runnable: Pregel[Any, Any, Any, Any], description: str, pool: str
) -> GraphDescriptor:
    schema = _or_without(
        runnable.get_input_jsonschema, {}, f"graph {name!r} takes any input, for it has no schema"
    )
    undrawn = GraphDescriptor(name, description, schema, mermaid="", pool=pool)
    return _or_without(lambda: _drawn(undrawn, runnable), undrawn, f"graph {name!r} has no drawing")


def _drawn(descriptor: GraphDescriptor, runnable: Pregel[Any, Any, Any, Any]) -> GraphDescriptor:
    graph = runnable.get_graph()
    nodes, edges = nodes_of(graph), edges_of(graph)
    return replace(
        descriptor, mermaid=graph.draw_mermaid(), nodes=nodes, edges=edges, drawing=draw(nodes, edges)
    )


def _or_without(make: Callable[[], T], default: T, consequence: str) -> T:
    """A state may hold types that no schema can tell, or a node be elsewhere; the graph runs all the same."""
    try:
        return make()
    except Exception as error:
        log.warning("%s: %s", consequence, str(error).splitlines()[0])
        return default


def _compile(found: Any, checkpointer: BaseCheckpointSaver[Any]) -> Pregel[Any, Any, Any, Any]:
    if isinstance(found, StateGraph):
        found = cast("Any", found).compile()
    if not isinstance(found, Pregel):
        raise TypeError(f"it is a {type(found).__name__}, not a LangGraph graph or a function that makes one")
    return cast("Any", found).copy(update={"checkpointer": checkpointer})


def _first_paragraph(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").split("\n\n")[0].split())
