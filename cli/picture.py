"""The live view as lines of a terminal, never wider or higher than it is. Text goes through `Text`."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from cli.bars import Columns, node_lines
from cli.hints import answers, broken, command, readable
from cli.pretty import pretty
from cli.showing import Showing
from cli.summary import question
from cli.text import clean
from cli.times import span
from cli.view import View

ICONS = {"queued": "○", "waiting": "?", "succeeded": "✓", "failed": "✗", "cancelled": "■", "cancelling": "■"}
STYLES = {
    "succeeded": "bold green",
    "failed": "bold red",
    "cancelled": "bold yellow",
    "cancelling": "yellow",
    "waiting": "bold magenta",
    "queued": "dim",
}

MOST_MESSAGES = 3
MOST_TEXT_LINES = 8
QUEUED_LONG_SECONDS = 5.0
"""After so long in the queue it is worth asking whether any worker is there."""


@dataclass(frozen=True)
class Frame:
    """What a picture is drawn for.

    Attributes:
        showing: what is to be shown.
        width: columns there are.
        height: lines there are.
        now: Unix milliseconds, in the time of the events.
    """

    showing: Showing
    width: int
    height: int
    now: int


def draw(view: View, frame: Frame, console: Console) -> list[Text]:
    """The lines of a task under way."""
    head = header(view, frame)
    notes = notes_of(view, 4 if frame.height >= 20 else 2 if frame.height >= 12 else 1)
    asked = _question(view, frame, max(frame.height - len(head) - len(notes) - 4, 3))
    room = max(frame.height - len(head) - len(notes) - len(asked), 1)
    writing = 0 if asked or view.ended else len(view.messages.shown[:MOST_MESSAGES])
    nodes = node_lines(view, Columns(frame.width, frame.now), max(room - 2 * writing, 1))
    texts = _messages(view, frame, console, room - len(nodes)) if writing else []
    lines = [*head, *nodes, *texts, *asked, *notes][: frame.height]
    for line in lines:
        line.truncate(frame.width, overflow="ellipsis")
    return lines


def header(view: View, frame: Frame) -> list[Text]:
    """Which task it is, and how it is."""
    title = Text(clean(frame.showing.task_id), "bold", no_wrap=True)
    title.append(f"  {clean(view.graph)}" if view.graph else "", "not bold")
    state = Text.assemble((frame.showing.label and f"{frame.showing.label}  ", "dim"), no_wrap=True)
    style = STYLES.get(view.status, "bold cyan")
    if view.last is None:
        return [title, state.append("reconnecting…" if view.lost else "connecting…", "dim")]
    state.append(f"{ICONS.get(view.status, '●')} {view.status}", style)
    state.append("  " + "  ".join([span(view.seconds(frame.now)), *_counts(view)]), "default")
    if view.lost and not view.ended:
        state.append("  reconnecting…", "bold yellow")
    elif (
        view.status == "queued" and view.seconds(frame.now) > QUEUED_LONG_SECONDS and not frame.showing.label
    ):
        state.append("  no worker has taken it yet: does one run?", "yellow")
    return [title, state]


def notes_of(view: View, most: int) -> list[Text]:
    """What happened besides, the newest last."""
    return [Text(f"! {note}", "yellow", no_wrap=True) for note in view.notes[-most:]]


def _counts(view: View) -> list[str]:
    counts = [_plural(view.events, "event")]
    if view.ended:
        counts.append(f"{_plural(view.runs, 'node')} run")
        counts.append(_plural(view.attempts, "attempt"))
    elif view.attempt > 1:
        counts.append(f"attempt {view.attempt}")
    if view.reconnects:
        counts.append(f"reconnected {'once' if view.reconnects == 1 else f'{view.reconnects} times'}")
    return counts


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _question(view: View, frame: Frame, room: int) -> list[Text]:
    """What a waiting task asks and how to answer; the answer's commands are what is cut last."""
    if view.status != "waiting" or not view.interrupts:
        return []
    lines = [
        Text(line, "magenta", no_wrap=True) for one in view.interrupts for line in _asked(one, frame.width)
    ]
    if frame.showing.label:
        return lines[:room]
    commands = [
        Text(line, no_wrap=True)
        for words in answers(frame.showing.task_id, view.interrupts, frame.showing.url)
        for line in broken(words, frame.width - 2)
    ]
    most = max(room - len(commands) - 1, 1)
    if len(lines) > most > 1:
        everything = command("show", frame.showing.task_id, url=frame.showing.url)
        lines = [*lines[: most - 1], Text(f"  … all of it: {everything}", "magenta", no_wrap=True)]
    return [*lines[:most], Text("Answer it from another terminal:", "bold", no_wrap=True), *commands]


def _asked(interrupt: dict[str, object], width: int) -> list[str]:
    headline, rest = question(interrupt.get("value"))
    rest = readable(rest)
    lines = [f"? {line}" for line in headline.splitlines()]
    return lines + [f"  {line}" for line in (pretty(rest, width - 2) if rest else [])]


def _messages(view: View, frame: Frame, console: Console, room: int) -> list[Text]:
    """The ends of the messages being written, each beside the name of its node."""
    shown = view.messages.shown[:MOST_MESSAGES]
    names = [clean(message.node) or "·" for message in shown]
    margin = min(max(map(len, names)), max(frame.width // 4, 8))
    each = min(max(room // len(shown), 1), MOST_TEXT_LINES)
    lines: list[Text] = []
    for name, message in zip(names, shown, strict=True):
        text = Text(clean(message.text, keep="\n"))
        wrapped = text.wrap(console, max(frame.width - margin - 3, 8))[-each:]
        for at, line in enumerate(wrapped):
            label = Text(name if at == 0 else "", "cyan")
            label.truncate(margin, overflow="ellipsis", pad=True)
            lines.append(Text.assemble(label, (" │ ", "dim"), line, no_wrap=True))
    return lines[: max(room, 0)]
