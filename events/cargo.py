"""Cargo: what a courier has of its writers' entries, on their way and acknowledged of late. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from events.model import EventId
from events.restoring import Remembered
from events.unconfirmed import Unconfirmed
from events.writer import AttemptWriter, Write

MAX_BATCH = 500
MAX_BATCH_BYTES = 1024 * 1024
"""One write's most: large enough that the round trip vanishes, small enough that readers see it soon."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that is known of a writer's newest entries, handed from courier to courier.

    Attributes:
        writer: whose they are.
        acknowledged: what a server has had, and may have lost; oldest first, as in the others.
        doubtful: what was sent, and nobody knows whether it was written.
        queued: what is to be written, the doubtful entries among it.
        secure: up to where it waits for copies, if it does.
    """

    writer: AttemptWriter
    acknowledged: Sequence[Write] = ()
    doubtful: Sequence[Write] = ()
    queued: Sequence[Write] = ()
    secure: EventId | None = None


@dataclass(slots=True)
class Cargo:
    """The entries of all writers that a courier has. A writer's keep their order, whatever happens.

    Attributes:
        queue: what is to be written next.
        unconfirmed: what was acknowledged, and may be lost still.
        strangers: what was acknowledged to writers on another connection; it's looked after before all else.
        securing: up to where writers wait for copies.
        asking: writers whose log the server is only being given (ASK of a Cluster).
    """

    queue: deque[Write] = field(default_factory=deque[Write])
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)
    strangers: dict[AttemptWriter, list[Write]] = field(default_factory=dict[AttemptWriter, list[Write]])
    securing: dict[AttemptWriter, EventId] = field(default_factory=dict[AttemptWriter, EventId])
    asking: set[AttemptWriter] = field(default_factory=set[AttemptWriter])
    _doubtful: dict[AttemptWriter, dict[bytes, Write]] = field(
        default_factory=dict[AttemptWriter, dict[bytes, Write]]
    )
    _held: dict[AttemptWriter, list[Write]] = field(default_factory=dict[AttemptWriter, list[Write]])

    @property
    def waiting(self) -> list[AttemptWriter]:
        """The strangers that aren't held."""
        return [writer for writer in self.strangers if writer not in self._held]

    def adopt(self, parcel: Parcel, *, asking: bool) -> None:
        """Take over a writer."""
        writer = parcel.writer
        (self.asking.add if asking else self.asking.discard)(writer)
        self.strangers[writer] = [*parcel.acknowledged]
        self.queue.extend(parcel.queued)
        if parcel.doubtful:
            self._doubtful[writer] = {write.raw_id: write for write in parcel.doubtful}
        if parcel.secure is not None:
            self.securing[writer] = parcel.secure

    def leave(self, writers: Collection[AttemptWriter]) -> list[Parcel]:
        """Give writers away, with all that is theirs."""
        acknowledged = self.unconfirmed.take(writers)
        queued = {writer: self._held.pop(writer, []) for writer in writers}
        others = deque[Write]()
        for write in self.queue:
            queued.get(write.writer, others).append(write)
        self.queue = others
        for writer in writers:
            acknowledged[writer] = [*self.strangers.pop(writer, ()), *acknowledged[writer]]
        self.asking.difference_update(writers)
        return [
            Parcel(
                writer,
                acknowledged[writer],
                list(self._doubtful.pop(writer, {}).values()),
                queued[writer],
                self.securing.pop(writer, None),
            )
            for writer in writers
        ]

    def residents(self) -> set[AttemptWriter]:
        """All writers of which there is anything."""
        queued = {write.writer for write in self.queue}
        known = (self.strangers, self.securing, self._doubtful, self._held, self.unconfirmed.writers())
        return queued.union(*known)

    def estrange(self) -> None:
        """The connection is new: whatever was acknowledged, another one had."""
        known = self.unconfirmed.take(self.unconfirmed.writers())
        for writer in {**known, **self._doubtful, **self.securing}:
            self.strangers[writer] = [*self.strangers.get(writer, ()), *known.get(writer, ())]

    def met(self, writers: Iterable[AttemptWriter]) -> None:
        """The server has what was acknowledged to them, or need not: they're fenced."""
        for writer in writers:
            acknowledged = self.strangers.pop(writer, ())
            if not writer.fenced:
                self.unconfirmed.add(acknowledged)

    def remembered(self, strangers: Iterable[AttemptWriter]) -> list[Remembered]:
        """What is known of those of the strangers of whom anything is, and who aren't fenced."""
        found = list[Remembered]()
        for writer in strangers:
            acknowledged = self.strangers[writer]
            if not acknowledged and writer in self.securing and writer.newest is not None:
                acknowledged.append(writer.newest)  # never forgotten while somebody waits for it
            doubtful = list(self._doubtful.get(writer, {}).values())
            it = Remembered(writer, acknowledged, doubtful, writer in self.asking)
            if it.writes and not writer.fenced:
                found.append(it)
        return found

    def take(self) -> list[Write]:
        """What is to be written next, of writers that aren't held."""
        batch, size = list[Write](), 0
        queue, held = self.queue, self._held
        while queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            write = queue.popleft()
            if write.writer.fenced:
                continue
            if held and write.writer in held:
                held[write.writer].append(write)
                continue
            batch.append(write)
            size += len(write.document)
        return batch

    def put_back(self, writes: Sequence[Write]) -> None:
        """Have them written before all others."""
        self.queue.extendleft(reversed(writes))

    def doubt(self, writes: Iterable[Write]) -> None:
        """They were sent, and nobody knows what became of them."""
        for write in writes:
            self._doubtful.setdefault(write.writer, {})[write.raw_id] = write

    def answered(self, writes: Iterable[Write]) -> None:
        """It's known what became of them."""
        for write in writes if self._doubtful else ():
            doubtful = self._doubtful.get(write.writer, {})
            if doubtful.pop(write.raw_id, None) is not None and not doubtful:
                del self._doubtful[write.writer]

    def hold(self, writer: AttemptWriter, writes: Iterable[Write]) -> None:
        """Keep those writes, and all that come after them, from being taken."""
        self._held[writer] = [*self._held.get(writer, ()), *writes]

    def let_go(self, writers: Iterable[AttemptWriter]) -> None:
        """Have what was held written before all others; who has left meanwhile is passed over."""
        for writer in writers:
            self.put_back(self._held.pop(writer, ()))

    def take_ends(self) -> list[list[Write]]:
        """What is queued of tasks that have come to their end, by task."""
        ends, others = dict[AttemptWriter, list[Write]](), deque[Write]()
        for write in self.queue:
            (ends.setdefault(write.writer, []) if write.writer.sealed else others).append(write)
        self.queue = others
        return list(ends.values())
