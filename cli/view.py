"""The live view's state: what is to be seen of a task after the events so far. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from cli.rows import Messages, NodeRow
from cli.summary import data_of, detail, interrupts_of, node_name, notice_line, question
from cli.text import clean, json_line, shorten
from cli.wire import Event, Notice
from events.model import TERMINAL, parse_timestamp

_NUMBERS = frozenset({"percent", "current", "total"})

MOST_NOTES = 4
LONGEST_ANSWER = 200


@dataclass
class View:
    """A task as its events tell it; feed them in order.

    Attributes:
        graph: its name, once `task.submitted` was seen.
        status: `queued`, `running`, `waiting`, `cancelling`, or one of the final ones.
        attempt: the last one's number.
        attempts: how many were seen to start.
        events: how many came.
        nodes: by name, in the order of their appearance.
        messages: those being written.
        interrupts: what a waiting task asks: `{id, value}` each.
        notes: what else happened, the last few.
        reconnects: how often the connection was lost and made again.
        lost: whether it is lost just now.
        last: the last event.
        began: Unix milliseconds of the first event.
        at: Unix milliseconds of the latest one.
    """

    graph: str = ""
    status: str = "queued"
    attempt: int = 0
    attempts: int = 0
    events: int = 0
    nodes: dict[str, NodeRow] = field(default_factory=dict[str, NodeRow])
    messages: Messages = field(default_factory=Messages)
    interrupts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    notes: list[str] = field(default_factory=list[str])
    reconnects: int = 0
    lost: bool = False
    last: Event | None = None
    began: int | None = None
    at: int = 0
    _losses: int = 0

    @property
    def ended(self) -> bool:
        """Whether the terminal event has come."""
        return self.last is not None and self.last.get("type") in TERMINAL

    @property
    def runs(self) -> int:
        """How many runs of nodes have ended."""
        return sum(len(row.done) for row in self.nodes.values())

    def seconds(self, now: int) -> float:
        """From the first event to now, or to the terminal one."""
        end = self.at if self.ended else max(self.at, now)
        return 0.0 if self.began is None else (end - self.began) / 1000

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        self.events += 1
        self.attempt = max(self.attempt, int(event.get("attempt", 0)))
        self.at = max(self.at, parse_timestamp(event["ts"]))
        self.began = self.at if self.began is None else self.began
        self.last = event
        kind, data = str(event.get("type")), data_of(event)
        self.status = _status(kind, self.status)
        if kind.startswith("node.") or kind == "progress":
            self._node(kind, event, data)
        elif kind.startswith("message."):
            self._message(kind, event, data)
        else:
            self._task(kind, event, data)

    def notice(self, notice: Notice) -> None:
        """Take in what is no event."""
        again = self.lost and notice.type == "connection.lost"
        self._losses = self._losses + 1 if again else 1
        if again:  # a series of failures is one note
            self.notes.pop()
        self._note(notice_line(notice) + (f" (try {self._losses})" if again else ""))
        if notice.type == "connection.back":
            self.reconnects += 1
        if notice.type.startswith("connection."):
            self.lost = notice.type == "connection.lost"
        if notice.type == "stream.rewound":
            self.events -= min(_void(notice.data), self.events)

    def _node(self, kind: str, event: Event, data: dict[str, Any]) -> None:
        row = self.nodes.setdefault(node_name(event), NodeRow())
        run = str(event.get("run", ""))
        if kind == "progress":
            words = "" if data.keys() <= _NUMBERS else detail(event)  # a bar says as much
            row.report(run, words, _fraction(data))
        elif kind == "node.started":
            row.start(run, self.at)
        else:
            row.end(run, self.at, failed=kind == "node.failed")
            self.messages.forget(run)

    def _message(self, kind: str, event: Event, data: dict[str, Any]) -> None:
        put = self.messages.add if kind == "message.delta" else self.messages.complete
        put(node_name(event), str(event.get("run")), str(data.get("message_id")), str(data.get("text", "")))

    def _task(self, kind: str, event: Event, data: dict[str, Any]) -> None:
        if kind == "attempt.started":
            self._attempt(event)
        elif kind == "task.submitted":
            self.graph = str(data.get("graph", ""))
        elif kind == "task.interrupted":
            self.interrupts = interrupts_of(event)
            self._note(" ".join(f"asked: {question(one.get('value'))[0]}" for one in self.interrupts))
        elif kind == "task.resumed":
            self._note(f"answered: {shorten(json_line(data.get('value')), LONGEST_ANSWER)}")
        elif kind not in TERMINAL:
            self._note(f"{kind} {detail(event)}")

    def _attempt(self, event: Event) -> None:
        """What an earlier attempt left unfinished is done again: forget it."""
        self.attempts += 1
        self.interrupts = []
        if self.attempt > 1:
            self._note(detail(event))
        self.messages.forget()
        for row in self.nodes.values():
            row.running.clear()

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


def _void(rewound: dict[str, Any]) -> int:
    """How many events a roll-back took away."""
    requested, last = (str(rewound.get(name)).rpartition("-")[2] for name in ("requested", "last"))
    return max(int(requested) - int(last), 0) if requested.isdigit() and last.isdigit() else 0


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
