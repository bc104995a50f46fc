"""The spans of a graph's nodes, by what LangGraph's stream tells of them.

They are told from outside, so what a node itself traces is within the attempt and not within the node.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from opentelemetry.trace import Span, StatusCode, set_span_in_context

from events import tracing


class NodeSpans:
    """Follows one attempt's stream parts, in their order.

    Args:
        stored: runs that an earlier attempt has finished; LangGraph tells their starts again, and no end.
    """

    def __init__(self, stored: Collection[str] = ()) -> None:
        self._stored = stored
        self._open: dict[str, Span] = {}

    def follow(self, part: Mapping[str, Any]) -> None:
        """Begin a node's span, or end it, if the part tells of that."""
        if not tracing.is_on() or part["type"] != "tasks":
            return
        data: Mapping[str, Any] = part["data"]
        if "result" in data:
            self._end(data)
        elif data["id"][:8] not in self._stored:
            around = self._open.get(part["ns"][-1].partition(":")[2]) if part["ns"] else None
            parent = None if around is None else set_span_in_context(around)
            about = {"taskreel.node": data["name"], "taskreel.run": data["id"][:8]}
            self._open[data["id"]] = tracing.start(f"node {data['name']}", parent, attributes=about)

    def close(self) -> None:
        """End what is open: nodes that were cancelled, or that wait for a person inside."""
        for span in self._open.values():
            span.set_attribute("taskreel.cut_off", True)
            span.end()
        self._open.clear()

    def _end(self, data: Mapping[str, Any]) -> None:
        span = self._open.pop(data["id"], None)
        if span is None:
            return
        if data["error"] is not None:
            span.set_status(StatusCode.ERROR, type(data["error"]).__name__)
        if data["interrupts"]:
            span.add_event("interrupted")
        span.end()
