"""A graph with a node that ends, and one in a subgraph that takes until it's released."""

from __future__ import annotations

from langgraph.graph import StateGraph

from tests.support.stubborn_graphs import State, hold, step


def _line(**nodes: object) -> StateGraph[State]:
    builder = StateGraph(State)
    builder.add_sequence(list(nodes.items()))  # pyright: ignore[reportArgumentType]
    builder.set_entry_point(next(iter(nodes)))
    return builder


graph = _line(first=step("first"), inner=_line(hold=hold).compile(), last=step("last")).compile()

SPECS = [
    "steps=tests.tracing.graphs:graph",
    "asking=tests.support.stubborn_graphs:asking_after",
    "telling=tests.secrets.graphs:telling",
]
"""The name `steps` is what `worker_process` waits for."""
