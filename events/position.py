"""Where a reader is in a log, and what it must be told when the log isn't what it was. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from events.model import START, Entry, EventId

PAGE = 1000
"""Entries a read takes at most: a reply then stays below a megabyte for usual events."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Redis lost entries between what a reader has and the next one there is."""

    requested: EventId
    first_available: EventId
    missing: int


@dataclass(frozen=True, slots=True)
class Rewound:
    """The log was rolled back behind what a reader has; `last` is the last entry that both have."""

    requested: EventId
    last: EventId


@dataclass(frozen=True, slots=True)
class Located:
    """Where a reader goes on.

    Attributes:
        position: reading goes on after this id.
        notice: what the reader must be told first, if anything.
        ended: the reader has the terminal event already.
    """

    position: EventId
    notice: Gap | Rewound | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The next entries for a reader, dense from where it was.

    Attributes:
        entries: oldest first; none if there's nothing new, or a notice comes first.
        position: what the reader has once it has taken the entries.
        notice: what it must be told before anything else.
        drained: whether that was all there is for now.
        ended: there are no entries, and the reader has the terminal event.
    """

    entries: list[Entry]
    position: EventId
    notice: Gap | Rewound | None = None
    drained: bool = False
    ended: bool = False

    @property
    def last(self) -> bool:
        """Whether nothing can come after it."""
        return self.entries[-1].terminal if self.entries else self.ended


class Stride:
    """How many entries to read at a time, so that a page is near a megabyte whatever their size.

    Attributes:
        count: for the next read.
    """

    PAGE_BYTES = 1024 * 1024
    FIRST = 64

    def __init__(self) -> None:
        self.count = self.FIRST

    def took(self, entries: Sequence[Entry]) -> None:
        """Learn from what the last read brought."""
        if entries:
            size = sum([len(entry.document) for entry in entries])
            self.count = min(max(self.PAGE_BYTES * len(entries) // size, 1), PAGE)


def is_dense(position: EventId, entries: Sequence[Entry]) -> bool:
    """Whether the entries go on after the position with no seq missing or repeated.

    Redis keeps ids ascending, so within one attempt the first and the last seq decide for all between.
    """
    first, last = entries[0].id, entries[-1].id
    if first.seq != position.seq + 1:
        return False
    if first.attempt == last.attempt:
        return last.seq - first.seq == len(entries) - 1
    return all(entry.id.seq == first.seq + step for step, entry in enumerate(entries))


def dense_part(position: EventId, entries: list[Entry]) -> list[Entry]:
    """The entries up to the first hole or repetition."""
    if not entries or is_dense(position, entries):
        return entries
    for count, entry in enumerate(entries):
        if entry.id.seq != position.seq + 1 + count:
            return entries[:count]
    return entries  # pragma: no cover - is_dense would have said so


def place(
    position: EventId, own: Sequence[Entry], following: Sequence[Entry], before: Sequence[Entry]
) -> Located:
    """Where a reader at a position goes on, from what the log has there.

    Args:
        position: what the reader has.
        own: the entry with that very id, if it's there.
        following: the next entry, if there is one.
        before: the entry before the position, if there is one.
    """
    if not following:
        if own:
            return Located(position, ended=own[0].terminal)
        last = before[0].id
        return Located(last, Rewound(position, last), ended=before[0].terminal)
    following_id = following[0].id
    # The id just before an entry is below it and above all others, though no entry need bear it.
    just_before = EventId(following_id.attempt, following_id.seq - 1)
    if following_id.seq <= position.seq:
        if own:
            return Located(just_before, Rewound(position, position))
        last = before[0].id if before else START
        return Located(last, Rewound(position, last))
    missing = following_id.seq - position.seq - 1
    if missing or not (own or position == START):
        return Located(just_before, Gap(position, following_id, missing))
    return Located(position)
