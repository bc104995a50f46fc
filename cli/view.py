"""The live view's state: what is to be seen of a task after the events so far. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from cli.summary import data_of, detail, node_name, notice_line
from cli.text import clean
from cli.wire import Event, Notice
from events.model import TERMINAL, parse_timestamp

LONGEST_TEXT = 4000
"""Characters of a message that are kept; only its last lines are shown anyway."""

MOST_NOTES = 4


@dataclass
class NodeRow:
    """All runs of one node, and how far they are.

    Attributes:
        runs: ids of those that have started.
        done: those of them that have ended.
        failed: whether one of them raised.
        fraction: what the node last said of its progress, 0 to 1, if anything.
        message: what it last said in words.
    """

    runs: set[str] = field(default_factory=set[str])
    done: set[str] = field(default_factory=set[str])
    failed: bool = False
    fraction: float | None = None
    message: str = ""

    @property
    def completed(self) -> float | None:
        """How much of it is done, 0 to 1; None when there is no telling."""
        if self.runs and self.runs == self.done:
            return 1.0
        return len(self.done) / len(self.runs) if len(self.runs) > 1 else self.fraction


@dataclass
class View:
    """A task as its events tell it; feed them in order.

    Attributes:
        status: `queued`, `running`, `waiting`, or one of the final ones.
        attempt: the last one.
        events: how many came.
        seconds: from the first event's time to the last one's.
        nodes: by name, in the order of their appearance.
        text: the message being written, its end at least.
        notes: what else happened, the last few.
        last: the last event.
    """

    status: str = "queued"
    attempt: int = 0
    events: int = 0
    seconds: float = 0.0
    nodes: dict[str, NodeRow] = field(default_factory=dict[str, NodeRow])
    text: str = ""
    notes: list[str] = field(default_factory=list[str])
    last: Event | None = None
    _began: int | None = None
    _message_id: str | None = None

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        self.events += 1
        self.attempt = max(self.attempt, int(event.get("attempt", 0)))
        self._time(event)
        self.last = event
        kind = str(event.get("type"))
        self.status = _status(kind, self.status)
        if kind.startswith("node.") or kind == "progress":
            self._node(kind, event)
        elif kind.startswith("message."):
            self._message(kind, data_of(event))
        elif kind == "attempt.started":
            self._attempt(event)
        elif kind not in TERMINAL and kind != "task.submitted":
            self._note(f"{kind} {detail(event)}")

    def notice(self, notice: Notice) -> None:
        """Take in what is no event."""
        self._note(notice_line(notice))

    def _time(self, event: Event) -> None:
        at = parse_timestamp(event["ts"])
        self._began = at if self._began is None else self._began
        self.seconds = max(self.seconds, (at - self._began) / 1000)

    def _node(self, kind: str, event: Event) -> None:
        row = self.nodes.setdefault(node_name(event), NodeRow())
        run = str(event.get("run", ""))
        if kind == "progress":
            row.message, row.fraction = detail(event), _fraction(data_of(event))
            return
        row.runs.add(run)
        if kind == "node.started":
            row.done.discard(run)
        else:
            row.done.add(run)
            row.failed |= kind == "node.failed"

    def _message(self, kind: str, data: dict[str, Any]) -> None:
        text, message_id = str(data.get("text", "")), str(data.get("message_id"))
        goes_on = kind == "message.delta" and message_id == self._message_id
        self.text = ((self.text if goes_on else "") + text)[-LONGEST_TEXT:]
        self._message_id = message_id

    def _attempt(self, event: Event) -> None:
        """What an earlier attempt left unfinished is done again: forget it."""
        if self.attempt > 1:
            self._note(detail(event))
        self._message_id = None
        for row in self.nodes.values():
            row.runs &= row.done
        self.nodes = {name: row for name, row in self.nodes.items() if row.runs}

    def _note(self, text: str) -> None:
        self.notes = [*self.notes, clean(text)][-MOST_NOTES:]


def _status(kind: str, before: str) -> str:
    if kind == "task.interrupted":
        return "waiting"
    if kind in ("attempt.started", "task.resumed"):
        return "running"
    if kind == "task.cancel_requested":
        return "cancelling"
    return TERMINAL[kind].value if kind in TERMINAL else before


def _fraction(data: dict[str, Any]) -> float | None:
    """An author may have put anything there; what is no number is passed over."""
    percent, current, total = (_number(data.get(name)) for name in ("percent", "current", "total"))
    if percent is not None:
        part = percent / 100
    elif current is not None and total:
        part = current / total
    else:
        return None
    return min(max(part, 0.0), 1.0)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
