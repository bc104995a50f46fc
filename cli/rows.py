"""The rows of the live view: how far each node is, and the messages being written. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_TEXT = 4000
"""Characters of a message that are kept; only its last lines are shown anyway."""


@dataclass
class Run:
    """One run of a node that is under way.

    Attributes:
        fraction: what it last said of its progress, 0 to 1, if anything.
        message: what it last said in words.
    """

    fraction: float | None = None
    message: str = ""


@dataclass
class NodeRow:
    """All runs of one node.

    Attributes:
        running: those under way, by id, in the order of their start.
        done: ids of those that have ended.
        failed: whether the last one that ended raised.
        parallel: whether several were ever under way at once.
        latest: what the node last said, whichever run that was.
        began: when it first started, in Unix milliseconds.
        ended: when it last ended.
    """

    running: dict[str, Run] = field(default_factory=dict[str, Run])
    done: set[str] = field(default_factory=set[str])
    failed: bool = False
    parallel: bool = False
    latest: Run = field(default_factory=Run)
    began: int | None = None
    ended: int | None = None

    @property
    def total(self) -> int:
        """How many runs have started."""
        return len(self.running) + len(self.done)

    @property
    def completed(self) -> float | None:
        """How much of it is done, 0 to 1; None when there is no telling."""
        if self.total and not self.running:
            return 1.0
        return len(self.done) / self.total if self.parallel else self.latest.fraction

    def start(self, run: str, at: int) -> None:
        """A run begins, perhaps again."""
        self.done.discard(run)
        self.running[run] = self.latest = Run()
        self.parallel |= len(self.running) > 1
        self.failed = False
        self.began = at if self.began is None else self.began

    def report(self, run: str, message: str, fraction: float | None) -> None:
        """A run tells how far it is."""
        self.latest = self.running.setdefault(run, Run())
        self.latest.message, self.latest.fraction = message, fraction

    def end(self, run: str, at: int, *, failed: bool) -> None:
        """A run ends."""
        self.running.pop(run, None)
        self.done.add(run)
        self.failed |= failed
        self.ended = at

    def seconds(self, now: int) -> float:
        """How long it has taken, up to now if it still runs."""
        if self.began is None:
            return 0.0
        end = now if self.running or self.ended is None else self.ended
        return max(end - self.began, 0) / 1000


@dataclass
class Message:
    """A message, or its end.

    Attributes:
        node: who writes it.
        text: what there is of it.
    """

    node: str
    text: str


class Messages:
    """The messages being written, told apart by the run and the id of each."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Message] = {}
        self._last: Message | None = None

    @property
    def shown(self) -> list[Message]:
        """Those being written, the oldest first; else the one that was completed last, if any."""
        return list(self._open.values()) or ([self._last] if self._last else [])

    def add(self, node: str, run: str, message_id: str, text: str) -> None:
        """A piece of a message."""
        message = self._open.setdefault((run, message_id), Message(node, ""))
        message.text = (message.text + text)[-LONGEST_TEXT:]

    def complete(self, node: str, run: str, message_id: str, text: str) -> None:
        """The whole of a message."""
        self._open.pop((run, message_id), None)
        self._last = Message(node, text[-LONGEST_TEXT:])

    def forget(self, run: str | None = None) -> None:
        """What that run, or any, was writing won't be completed."""
        self._open = {key: each for key, each in self._open.items() if run is not None and key[0] != run}
