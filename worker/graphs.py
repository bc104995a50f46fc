"""The graphs that this worker serves: loaded by name from settings, and described for the pods."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from events.errors import SettingsError
from events.graphs import GraphDescriptor
from worker.serde import data_classes

SYNTAX = "NAME=module:attr, such as digest=examples.digest:graph"


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that is ready to run.

    Attributes:
        name: under which tasks name it.
        runnable: compiled, with this worker's checkpointer.
        description: the first paragraph of its own docstring, or of its module's.
    """

    name: str
    runnable: Pregel[Any, Any, Any, Any]
    description: str

    def describe(self, pool: str) -> GraphDescriptor:
        """What pods must know of it."""
        return GraphDescriptor(
            name=self.name,
            description=self.description,
            input_schema=self.runnable.get_input_jsonschema(),
            mermaid=self.runnable.get_graph().draw_mermaid(),
            pool=pool,
        )


def load_graphs(specs: Sequence[str], checkpointer: BaseCheckpointSaver[Any]) -> Mapping[str, Graph]:
    """Import the graphs that the setting names.

    Raises:
        SettingsError: one line that names the graph that can't be loaded, and why.
    """
    if not specs:
        raise SettingsError(f"TASKREEL_GRAPHS is empty: name at least one graph as {SYNTAX}")
    return {graph.name: graph for graph in (_load(spec, checkpointer) for spec in specs)}


def _load(spec: str, checkpointer: BaseCheckpointSaver[Any]) -> Graph:
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
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SettingsError(f"graph {name!r} cannot be loaded from {target}: {reason}") from error
    return Graph(name, runnable, _first_paragraph(module.__doc__))


def _compile(found: Any, checkpointer: BaseCheckpointSaver[Any]) -> Pregel[Any, Any, Any, Any]:
    if isinstance(found, StateGraph):
        found = cast("Any", found).compile()
    if not isinstance(found, Pregel):
        raise TypeError(f"it is a {type(found).__name__}, not a LangGraph graph or a function that makes one")
    return cast("Any", found).copy(update={"checkpointer": checkpointer})


def _first_paragraph(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").split("\n\n")[0].split())
