"""The nodes of the live view: a line each, and a line for each of a fan-out's runs under way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from rich.cells import cell_len
from rich.text import Text

from cli.rows import NodeRow, Run
from cli.text import clean
from cli.times import span
from cli.view import View

MOST_BRANCHES = 5
"""Runs of one fan-out that have a line of their own."""

STYLES = {"✓": "green", "✗": "bold red", "●": "cyan", "?": "bold magenta", "■": "yellow"}
"""The colour of each sign: done, failed, running, asks, stopped."""


@dataclass(frozen=True)
class Columns:
    """What a line of a node is drawn for.

    Attributes:
        width: columns there are.
        now: Unix milliseconds, in the time of the events.
        name: columns of the longest name, within bounds.
        count: columns of the longest count.
    """

    width: int
    now: int
    name: int = 0
    count: int = 4

    @property
    def bar(self) -> int:
        """Columns of a bar."""
        return min(max(self.width // 5, 8), 24)


def node_lines(view: View, columns: Columns, room: int) -> list[Text]:
    """All nodes in at most `room` lines: the ended ones fold first, branches fill what is left."""
    rows = [(name, row) for name, row in view.nodes.items() if row.total]
    if not rows:
        return []
    wanted = sum(min(len(row.running), MOST_BRANCHES) for _, row in rows if row.parallel)
    shown = _kept(rows, room - min(wanted, room // 3))
    columns = Columns(columns.width, columns.now, _name_width(shown, columns.width), _count_width(shown))
    spare = max(room - len(shown) - (len(shown) < len(rows)), 0)
    lines = [_folded(rows, shown)] if len(shown) < len(rows) else []
    for name, row in shown:
        branches = _branches(row, columns, min(spare, MOST_BRANCHES)) if not view.ended else []
        spare -= len(branches)
        lines += [_line(view, name, row, columns, said=not branches), *branches]
    return lines[:room]


def _kept(rows: list[tuple[str, NodeRow]], room: int) -> list[tuple[str, NodeRow]]:
    """As many as there is room for, besides the line that tells of the rest; in the order of all."""
    if len(rows) <= room:
        return rows
    ranked = sorted(range(len(rows)), key=lambda at: (_rank(rows[at][1]), -at))
    return [rows[at] for at in sorted(ranked[: max(room - 1, 1)])]


def _rank(row: NodeRow) -> int:
    return 0 if row.failed else 1 if row.running else 2


def _folded(rows: list[tuple[str, NodeRow]], shown: list[tuple[str, NodeRow]]) -> Text:
    names = {name for name, _ in shown}
    hidden = [row for name, row in rows if name not in names]
    running = sum(1 for row in hidden if row.running)
    more = f", {running} of them running" if running else ", done"
    return Text(f"… {len(hidden)} more node{'s' * (len(hidden) > 1)}{more}", "dim", no_wrap=True)


def _name_width(rows: list[tuple[str, NodeRow]], width: int) -> int:
    return min(max(cell_len(clean(name) or "·") for name, _ in rows), max(width // 4, 8))


def _count_width(rows: list[tuple[str, NodeRow]]) -> int:
    totals = (len(f"{row.total}/{row.total}") for _, row in rows if row.parallel)
    return max([4, *totals])


def _line(view: View, name: str, row: NodeRow, columns: Columns, *, said: bool) -> Text:
    sign = _sign(view, row)
    label = Text(clean(name) or "·")
    label.truncate(columns.name, overflow="ellipsis", pad=True)
    line = Text.assemble((sign, STYLES[sign]), " ", label, " ", no_wrap=True)
    line.append_text(_bar(row.completed, columns.bar, STYLES[sign]))
    line.append(f" {_count(row):>{columns.count}}")
    line.append(f" {span(row.seconds(columns.now)):>7}", "dim")
    return _with_words(line, _words(row, said=said))


def _with_words(line: Text, words: str) -> Text:
    """The line with what was said at its end; who draws it cuts what there is no place for."""
    return line.append(f"  {clean(words)}") if words else line


def _sign(view: View, row: NodeRow) -> str:
    if row.failed:
        return "✗"
    if not row.running:
        return "✓"
    if view.ended:
        return "■"
    return "?" if view.status == "waiting" else "●"


def _bar(fraction: float | None, width: int, style: str) -> Text:
    full = int((fraction or 0.0) * width)
    return Text.assemble(("━" * full, style), ("─" * (width - full), "dim"))


def _count(row: NodeRow) -> str:
    if row.parallel:
        return f"{len(row.done)}/{row.total}"
    if row.total > 1:
        return f"{row.total}x"
    return "" if row.completed is None else f"{row.completed:.0%}"


def _words(row: NodeRow, *, said: bool) -> str:
    """The end of a node's line: how many run, and the latest words unless they stand below."""
    running = f"{len(row.running)} running" if row.parallel and row.running else ""
    latest = row.latest.message if said and (row.running or not row.parallel) else ""
    return ", ".join(part for part in (running, latest) if part)


def _branches(row: NodeRow, columns: Columns, room: int) -> list[Text]:
    """A fan-out's oldest runs that have said anything."""
    if not row.parallel or room <= 0:
        return []
    speaking = (run for run in row.running.values() if run.message or run.fraction is not None)
    return [_branch(run, columns) for run in islice(speaking, room)]


def _branch(run: Run, columns: Columns) -> Text:
    line = Text("  └ ".ljust(columns.name + 3), "dim", no_wrap=True)
    line.append_text(_bar(run.fraction, columns.bar, "cyan"))
    part = "" if run.fraction is None else f"{run.fraction:.0%}"
    line.append(f" {part:>{columns.count}} {'':>7}")
    return _with_words(line, run.message)
