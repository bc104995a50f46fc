"""What an earlier attempt has left in the log, for the one that takes over. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from events.model import Entry, EventType


@dataclass(slots=True)
class Lookback:
    """A log read from its start.

    Attributes:
        size: bytes of all documents.
        fruitless: how many attempts in a row, up to now, have finished no node and asked nothing.
        finished: runs of nodes that completed.
        started: the seq of each node run's start, unless a later attempt has superseded it.
        seqs: the seqs of each node run's events.
        asked: whether the last question in it has no `task.resumed` yet.
    """

    size: int = 0
    fruitless: int = 0
    finished: set[str] = field(default_factory=set[str])
    started: dict[str, int] = field(default_factory=dict[str, int])
    seqs: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    asked: bool = False

    def read(self, entries: Iterable[Entry]) -> None:
        """Take the next entries."""
        for entry in entries:
            self.size += len(entry.document)
            self._read_one(entry)

    def supersedes(self, stored: Collection[str], *, from_scratch: bool) -> list[int]:
        """The seqs of what will be done again: of all, or of the node runs that did not finish.

        Args:
            stored: runs that finished as well, though the log doesn't tell.
            from_scratch: whether everything is done again.
        """
        done = self.finished.union(stored)
        again = [seqs for run, seqs in self.seqs.items() if from_scratch or run not in done]
        return sorted(seq for seqs in again for seq in seqs)

    def _read_one(self, entry: Entry) -> None:
        match entry.type:
            case EventType.ATTEMPT_STARTED:
                self.fruitless += 1
                gone = set(entry.event["data"]["supersedes"])
                self.started = {run: seq for run, seq in self.started.items() if seq not in gone}
            case EventType.TASK_INTERRUPTED:
                self.fruitless, self.asked = 0, True
            case EventType.TASK_RESUMED:
                self.asked = False
            case EventType.NODE_COMPLETED:
                self.fruitless = 0
                self._note(entry, finished=True)
            case EventType.TASK_SUBMITTED | EventType.TASK_CANCEL_REQUESTED:
                pass
            case EventType.NODE_STARTED:
                self.started[entry.event["run"]] = entry.id.seq
                self._note(entry, finished=False)
            case _:
                self._note(entry, finished=False)

    def _note(self, entry: Entry, *, finished: bool) -> None:
        run = entry.event.get("run")
        if run is not None:
            self.seqs.setdefault(run, []).append(entry.id.seq)
            if finished:
                self.finished.add(run)
