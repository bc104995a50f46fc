"""Tasks as tables: complete and plain for a pipe, fitted and coloured for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.text import clean, json_line

Task = dict[str, Any]

COLUMNS = ("task_id", "graph", "status", "attempt", "created_at", "last_event_id")


def table(tasks: Sequence[Task]) -> str:
    """A line for each task below a line of headings."""
    headings = ["task", *(name.removesuffix("_at").removesuffix("_id") for name in COLUMNS[1:])]
    return aligned(headings, [[str(task.get(name, "")) for name in COLUMNS] for task in tasks])


def aligned(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Lines of cells in columns, below their headings. Nothing is cut, so that it can be copied."""
    rows = [[name.replace("_", " ").upper() for name in headings]]
    rows += [[clean(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def details(task: Task) -> str:
    """A line for each member that holds something."""
    shown = {name: value for name, value in task.items() if value not in (None, {}, [])}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{clean(name):<{width}}  {_value(value)}" for name, value in shown.items())


def _value(value: Any) -> str:
    return clean(value) if isinstance(value, str) else json_line(value)
