"""Tasks on a terminal: a list that fits its width, and one task with all there is to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.hints import answers, broken, command
from cli.picture import ICONS, STYLES
from cli.pretty import pretty
from cli.summary import question
from cli.tables import Task
from cli.text import clean
from cli.times import age, span
from events.model import now_ms, parse_timestamp

TASK_COLUMNS = 36
STATUS_COLUMNS = 12
SHORT_COLUMNS = 10
"""Of an age, or of how long a task took."""

SHORTEST_GRAPH = 6


def terminal() -> Console:
    """Where results are shown; nothing in them is taken for markup."""
    return Console(highlight=False, markup=False, emoji=False)


def list_tasks(tasks: Sequence[Task]) -> None:
    """Print tasks as a table that fits the terminal. Ids are never cut: they are there to be copied."""
    console = terminal()
    now = now_ms()
    rows = [_cells(task, now) for task in tasks]
    names = _columns(console.width, max((cell_len(row["GRAPH"].plain) for row in rows), default=5))
    lines = [{name: Text(name, "bold") for name in names}, *rows]
    for row in lines:
        line = Text("  ").join(_padded(row[name], size) for name, size in names.items())
        line.rstrip()
        console.print(line, soft_wrap=True)


def _columns(width: int, graph: int) -> dict[str, int]:
    """The columns there is place for, with their widths; the least important go first."""
    sizes = {"TASK": TASK_COLUMNS, "STATUS": STATUS_COLUMNS, "GRAPH": SHORTEST_GRAPH, "AGE": 4}
    sizes |= {"TOOK": SHORT_COLUMNS, "ATTEMPT": 7, "EVENTS": 6}
    for name in ("EVENTS", "ATTEMPT", "TOOK", "AGE", "GRAPH"):
        if sum(sizes.values()) + 2 * (len(sizes) - 1) <= width:
            break
        del sizes[name]
    if "GRAPH" in sizes:
        spare = max(width - sum(sizes.values()) - 2 * (len(sizes) - 1), 0)
        sizes["GRAPH"] = max(min(graph, SHORTEST_GRAPH + spare), 5)
    return sizes


def _cells(task: Task, now: int) -> dict[str, Text]:
    status = str(task.get("status"))
    state = Text(f"{ICONS.get(status, '●')} {clean(status)}", STYLES.get(status, "cyan"))
    last = str(task.get("last_event_id") or "").rpartition("-")[2]
    texts = {
        "TASK": clean(str(task.get("task_id"))),
        "GRAPH": clean(str(task.get("graph"))),
        "AGE": age((now - parse_timestamp(task["created_at"])) / 1000),
        "TOOK": _took(task, now),
        "ATTEMPT": str(task.get("attempt", "")),
        "EVENTS": last,
    }
    return {"STATUS": state} | {name: Text(text) for name, text in texts.items()}


def _took(task: Task, now: int) -> str:
    if not task.get("started_at"):
        return ""
    ended = task.get("ended_at")
    return span(((parse_timestamp(ended) if ended else now) - parse_timestamp(task["started_at"])) / 1000)


def _padded(cell: Text, size: int) -> Text:
    cell = cell.copy()
    cell.truncate(size, overflow="ellipsis", pad=True)
    return cell


def portray(task: Task, url: str) -> None:
    """Print one task: its state, what it asks, what came of it, and what can be done about it."""
    console = terminal()
    status = str(task.get("status"))
    console.print(
        Text.assemble((clean(str(task["task_id"])), "bold"), f"  {clean(str(task.get('graph')))}"),
        soft_wrap=True,
    )
    console.print(Text(f"{ICONS.get(status, '●')} {clean(status)}", STYLES.get(status, "bold cyan")))
    for name, value in _facts(task):
        console.print(Text.assemble((f"  {name:<9} ", "dim"), clean(value)))
    for name in ("metadata", "result", "error"):
        _block(console, f"{name}:", task.get(name), "")
    for one in cast("list[dict[str, Any]]", task.get("interrupts") or []):
        _block(console, "? " + question(one.get("value"))[0], question(one.get("value"))[1], "bold magenta")
    for words in _next_steps(task, url):
        console.print(Text("\n".join(broken(words, console.width))), soft_wrap=True)


def _facts(task: Task) -> list[tuple[str, str]]:
    """What is known of it besides, each with its name."""
    now = now_ms()
    ages = [
        (name, f"{_ago(task[f'{name}_at'], now)}  ({task[f'{name}_at']})")
        for name in ("created", "started", "ended")
        if task.get(f"{name}_at")
    ]
    took = [("took", _took(task, now))] if task.get("ended_at") and task.get("started_at") else []
    events = [("events", f"{task.get('first_event_id')} to {task.get('last_event_id')}")]
    thread = (
        [("thread", str(task["thread_id"]))] if task.get("thread_id") not in (None, task["task_id"]) else []
    )
    worker = [("worker", str(task["worker"]))] if task.get("worker") else []
    return [*ages, *took, ("attempt", str(task.get("attempt"))), *worker, *thread, *events]


def _ago(ts: str, now: int) -> str:
    return f"{span(max(now - parse_timestamp(ts), 0) / 1000)} ago"


def _block(console: Console, head: str, value: object, style: str) -> None:
    """A heading and what belongs to it, indented; nothing when there is nothing."""
    if value in (None, {}, []) and head.endswith(":"):
        return
    console.print(Text(head, style or "dim"))
    for line in pretty(value, console.width - 2) if value is not None else []:
        console.print(Text(f"  {line}"), soft_wrap=True)


def _next_steps(task: Task, url: str) -> list[str]:
    task_id = str(task["task_id"])
    if task.get("interrupts"):
        return answers(task_id, task["interrupts"], url)
    return [command("replay" if task.get("ended_at") else "tail", task_id, url=url)]
