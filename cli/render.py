"""Showing events as they come: a live view on a terminal, lines of text elsewhere, or JSON."""

from __future__ import annotations

import sys
from typing import Protocol, Self

from cli.output import put, say
from cli.summary import line, notice_line
from cli.text import json_line
from cli.wire import Event, Notice


class Screen(Protocol):
    """Where events are shown; a context manager, on leaving which it is complete."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *_: object) -> None:
        """End; what is to be seen stays."""
        ...

    def event(self, event: Event) -> None:
        """Show an event."""
        ...

    def notice(self, notice: Notice) -> None:
        """Show what is no event."""
        ...


def screen(task_id: str, *, as_json: bool) -> Screen:
    """The screen that fits where stdout leads."""
    if as_json:
        return JsonLines()
    if not sys.stdout.isatty():
        return Lines()
    from rich.console import Console

    from cli.live import LiveScreen

    console = Console(highlight=False, markup=False, emoji=False)
    return Lines() if console.is_dumb_terminal else LiveScreen(console, task_id)


class Lines:
    """One line an event on stdout; lines on the connection go to stderr."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def event(self, event: Event) -> None:
        """Print an event."""
        put(line(event))

    def notice(self, notice: Notice) -> None:
        """Print a notice."""
        say(notice_line(notice))


class JsonLines(Lines):
    """Each event's JSON on one line of stdout.

    A gap or a roll-back is told there too, as `{"type": "stream.…", "data": {…}}` without a seq: a program
    that reads the events must know of it.
    """

    def event(self, event: Event) -> None:
        """Print an event."""
        put(json_line(event))

    def notice(self, notice: Notice) -> None:
        """Print a notice."""
        if notice.type.startswith("stream."):
            put(json_line({"type": notice.type, "data": notice.data}))
        else:
            super().notice(notice)
