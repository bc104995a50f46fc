"""The live view on a terminal: bars for the nodes, the message being written, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.summary import outcome
from cli.text import clean, shorten
from cli.view import NodeRow, View
from cli.wire import Event, Notice
from events.model import TERMINAL

REFRESH_SECONDS = 0.1
BAR_WIDTH = 24
TEXT_LINES = 8
LONGEST_OUTCOME = 4000

STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "waiting": "magenta"}


class Picture:
    """A view as rich draws it. All text of events goes through `Text`, never through markup."""

    def __init__(self, view: View, task_id: str) -> None:
        self._view = view
        self._task_id = task_id

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self._header()
        yield self._nodes()
        if self._view.text and not self._ended:
            lines = Text(clean(self._view.text, keep="\n")).wrap(console, options.max_width)
            yield Text("\n").join(lines[-TEXT_LINES:])
        for note in self._view.notes:
            yield Text(f"! {note}", "yellow")
        if self._view.last is not None and self._ended:
            yield Text(clean(shorten(outcome(self._view.last), LONGEST_OUTCOME)))

    @property
    def _ended(self) -> bool:
        return self._view.last is not None and self._view.last.get("type") in TERMINAL

    def _header(self) -> Text:
        view = self._view
        attempt = f", attempt {view.attempt}" if view.attempt > 1 else ""
        header = Text.assemble(
            (clean(self._task_id), "bold"), "  ", (view.status, STYLES.get(view.status, "cyan"))
        )
        return header.append(f"  {view.seconds:.1f} s, {view.events} events{attempt}", "not bold")

    def _nodes(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name, row in self._view.nodes.items():
            table.add_row(
                _name(name, row), _bar(row), _count(row), Text(clean(row.message), overflow="ellipsis")
            )
        return table


def _name(name: str, row: NodeRow) -> Text:
    style = "red" if row.failed else "green" if row.completed == 1 else ""
    return Text(clean(name) or "·", style, no_wrap=True)


def _bar(row: NodeRow) -> ProgressBar:
    # Without the clock's pulse: a picture changes with its events alone.
    return ProgressBar(total=1.0, completed=row.completed or 0.0, width=BAR_WIDTH)


def _count(row: NodeRow) -> Text:
    if len(row.runs) > 1:
        return Text(f"{len(row.done)}/{len(row.runs)}", no_wrap=True)
    return Text("" if row.completed is None else f"{row.completed:.0%}", no_wrap=True)


class LiveScreen:
    """Draws the view at most ten times a second, from within the event loop: no thread reads what changes."""

    def __init__(self, console: Console, task_id: str) -> None:
        self._view = View()
        picture = Picture(self._view, task_id)
        self._live = Live(console=console, auto_refresh=False, get_renderable=lambda: picture)
        self._due: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._due is not None:
            self._due.cancel()
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take an event in, and draw soon."""
        self._view.feed(event)
        self._draw_soon()

    def notice(self, notice: Notice) -> None:
        """Take a notice in, and draw soon."""
        self._view.notice(notice)
        self._draw_soon()

    def _draw_soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(REFRESH_SECONDS, self._draw)

    def _draw(self) -> None:
        self._due = None
        self._live.refresh()
