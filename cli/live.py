"""The live view on a terminal: drawn in place while a task runs, and left as a summary when it's over."""

from __future__ import annotations

import asyncio
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.hints import broken, follow_again
from cli.picture import Frame, draw
from cli.showing import Showing
from cli.summary import closing
from cli.view import View
from cli.wire import Event, Notice, event_id

REFRESH_SECONDS = 0.1
TICK_SECONDS = 0.5
"""How often the elapsed time moves on when nothing else does."""

_PLAIN = str.maketrans("✓✗●○■━─│└…·", "+x*o=#-|-~.")
"""For terminals whose encoding has no such signs."""


class LiveScreen:
    """Draws the view at most ten times a second, from within the event loop: no thread reads what changes.

    Args:
        console: the terminal.
        showing: what is to be shown.
    """

    def __init__(self, console: Console, showing: Showing) -> None:
        self._view = View()
        self._console = console
        self._showing = showing
        self._due: asyncio.TimerHandle | None = None
        self._changed = True
        self._still = 0.0
        self._ahead = 0
        # Transient: what stays is printed once it's over, and may then be longer than the screen.
        self._live = Live(console=console, auto_refresh=False, transient=True, get_renderable=self._picture)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        self._turn()
        return self

    def __exit__(self, *_: object) -> None:
        if self._due is not None:
            self._due.cancel()
        self._live.stop()
        if self._view.last is not None:
            self._console.print(Group(*self._drawn(), *self._parting(self._view.last)))

    def event(self, event: Event) -> None:
        """Take an event in; it is drawn soon."""
        self._view.feed(event)
        self._ahead = max(self._ahead, self._view.at - self._showing.clock())
        self._changed = True

    def notice(self, notice: Notice) -> None:
        """Take a notice in; it is drawn soon."""
        self._view.notice(notice)
        self._changed = True

    def _turn(self) -> None:
        """Draw if there is anything new to be seen, or if the time has moved on."""
        self._due = asyncio.get_running_loop().call_later(REFRESH_SECONDS, self._turn)
        self._still += REFRESH_SECONDS
        if self._changed or self._still >= TICK_SECONDS:
            self._changed, self._still = False, 0.0
            self._live.refresh()

    def _picture(self) -> Group:
        return Group(*self._drawn())

    def _drawn(self) -> list[Text]:
        """The view in the lines there are, one of which is left for the cursor."""
        width, height = self._console.size
        now = self._showing.clock() + self._ahead  # workers' clocks may be ahead
        frame = Frame(self._showing, width, height - 1, now)
        return [self._spelled(line) for line in draw(self._view, frame, self._console)]

    def _spelled(self, line: Text) -> Text:
        if not self._console.encoding.startswith("utf"):
            line.plain = line.plain.translate(_PLAIN)
        return line

    def _parting(self, last: Event) -> list[Text]:
        """What stands below the picture in the end: what came of the task, or how to look at it again."""
        width, height = self._console.size
        if self._view.ended:
            lines = closing(last, self._showing.task_id, width, max(height - 8, 12), self._showing.url)
        elif self._showing.label:
            lines = [f"The replay ends with {event_id(last)}."]
        else:
            again = follow_again(self._showing.task_id, event_id(last), self._showing.url)
            lines = ["The task goes on without you. Follow it again:", *broken(again, width)]
        return [self._spelled(Text(line)) for line in lines]
