"""Showing events as they come: a live view on a terminal, lines of text elsewhere, or JSON."""

from __future__ import annotations

import asyncio
import sys
from typing import Protocol, Self

from cli.hints import answers
from cli.output import put, say
from cli.showing import Showing
from cli.summary import interrupts_of, line, notice_line
from cli.text import json_line
from cli.wire import Event, Notice

WAITS_SECONDS = 1.0
"""A question that nothing follows for so long is open; in history an answer follows at once."""


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


def screen(showing: Showing) -> Screen:
    """The screen that fits where stdout leads."""
    if showing.as_json:
        return JsonLines(showing)
    if not sys.stdout.isatty():
        return Lines(showing)
    from rich.console import Console

    from cli.live import LiveScreen

    console = Console(highlight=False, markup=False, emoji=False)
    return Lines(showing) if console.is_dumb_terminal else LiveScreen(console, showing)


class Lines:
    """One line an event on stdout; what else a person should know goes to stderr."""

    def __init__(self, showing: Showing) -> None:
        self._showing = showing
        self._remark: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._event_came()

    def event(self, event: Event) -> None:
        """Print an event."""
        put(line(event))
        self._event_came()
        if event.get("type") == "task.interrupted" and not self._showing.label:
            loop = asyncio.get_running_loop()
            self._remark = loop.call_later(WAITS_SECONDS, self._say_how_to_answer, event)

    def notice(self, notice: Notice) -> None:
        """Print a notice."""
        say(notice_line(notice))

    def _event_came(self) -> None:
        if self._remark is not None:
            self._remark.cancel()
            self._remark = None

    def _say_how_to_answer(self, event: Event) -> None:
        for words in answers(self._showing.task_id, interrupts_of(event), self._showing.url):
            say(f"it waits for an answer: {words}")


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
