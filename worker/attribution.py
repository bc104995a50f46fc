"""Telling which node a `get_stream_writer()` wrote for.

LangGraph streams custom data with the path of the subgraph it came from and not the node, so of ten parallel
nodes nobody could say whose progress it is. A run's own writer is combined with a parent runtime's by the
parent's `merge`; handed in as the parent, this runtime wraps the writer, which is called inside the node.
Should LangGraph do without that some day, progress events only lose their node.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

RUNTIME_KEY = "__pregel_runtime"
"""Where LangGraph looks for a parent runtime in `config["configurable"]`."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A value that a node wrote, and the node."""

    node: str
    run: str
    value: Any


class AttributingRuntime(Runtime[Any]):
    """A parent runtime that makes the run's stream writer say which node is writing."""

    def merge(self, other: Runtime[Any]) -> Runtime[Any]:
        """The run's own runtime with its writer wrapped."""
        merged = super().merge(other)
        write = merged.stream_writer

        def write_attributed(value: Any) -> None:
            configurable: dict[str, Any] = get_config().get("configurable", {})
            namespace = str(configurable.get("checkpoint_ns", ""))
            node, _, run = namespace.rpartition("|")[2].partition(":")
            write(Attributed(node, run[:8], value) if node and run else value)

        return replace(merged, stream_writer=write_attributed)
