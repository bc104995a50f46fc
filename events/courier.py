"""Courier: brings entries to one server, gathered while the last write was under way.

An idle courier writes at once; a busy one writes what has gathered meanwhile, for all its tasks together. So
batching comes by itself and costs a lone event nothing. A MULTI/EXEC lands whole or not at all, even if the
connection breaks in the middle of it or memory runs out half-way: no entry can be missing before one that is
there. On a Cluster each task has its own, since a transaction has one slot; they travel together even so.

A write whose reply was lost is sent again. Redis refuses the ids it has, and a look at the refused id tells
which: it's there, so it was ours and is done; or it isn't, so a newer attempt has opened.

When Redis's memory is used up, events wait; but what a task that has come to its end has to write is written,
and no other's events keep it waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextvars import Context

from redis.asyncio import Redis
from redis.exceptions import AskError, ResponseError

from events import metrics
from events.background import stop
from events.cargo import Cargo, Parcel
from events.connect import NOT_THERE, OutOfMemoryError
from events.delivery import Add, Answer, Terms, at_last, looked_up, together
from events.link import Link, Office
from events.servers.refusals import REFUSED
from events.writer import AttemptWriter, Write

log = logging.getLogger(__name__)

FULL_SECONDS = 0.2
"""How soon what Redis had no memory for is tried again."""

REFUSED_SECONDS = 0.05
"""How soon what a server couldn't do just then is tried again, unless another one has the slot by then."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.5
"""How soon a server that can't be reached is tried again."""


class Courier:
    """Sends what its writers append, in order, through one connection of its own to one server.

    Args:
        node: a client of the server.
        office: what it shares with the others.

    Attributes:
        node: the same.
    """

    def __init__(self, node: Redis, office: Office) -> None:
        self.node = node
        self._office = office
        self._cargo = Cargo()
        self._wake = asyncio.Event()
        self._link = Link(node, office, self._cargo, self._wake)
        self._version = office.routes.version
        self._sent: Sequence[Write] = ()
        self._full = False
        self._tasks: list[asyncio.Task[None]] = []

    def put(self, write: Write) -> None:
        """Send an entry on its way."""
        self._cargo.queue.append(write)
        self._start()

    def secure(self, writer: AttemptWriter) -> None:
        """See that what the writer has in its log is as durable as milestones must be; it is told when."""
        if not self._office.durability:
            writer.secured(writer.last)
            return
        self._cargo.securing[writer] = writer.last
        self._start()

    def adopt(self, parcel: Parcel, *, asking: bool) -> None:
        """Take a writer over, with what it has written of late; asking: its log is only on its way here."""
        parcel.writer.carrier = self
        self._cargo.adopt(parcel, asking=asking)
        self._start()

    async def close(self) -> None:
        """Stop sending. Entries not yet acknowledged may or may not be in the log."""
        tasks, self._tasks = self._tasks, []
        await stop(tasks)
        await self._link.close()

    def _start(self) -> None:
        self._wake.set()
        if not self._tasks:
            self._tasks = [
                # They serve all writers, and must not seem to be about the first one.
                asyncio.create_task(self._run(), name="courier", context=Context()),
                asyncio.create_task(self._link.watch(), name="courier-watch", context=Context()),
            ]

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._work()
                pause = FIRST_PAUSE_SECONDS
            except NOT_THERE as error:
                await self._office.routes.heed(error)
                self._link.doubted = True
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _work(self) -> None:
        """Write until there's nothing left, and see to it that milestones have their copies."""
        self._follow_map()
        while self._cargo.queue or self._cargo.waiting:
            await self._write(self._cargo.take(), together)
            if self._link.must_count:
                await self._link.count_copies()
            self._follow_map()
        if self._link.must_count:
            await self._link.count_copies()

    def _follow_map(self) -> None:
        """Hand over the writers whose log another server has now."""
        routes, log_of = self._office.routes, self._office.keys.log
        if routes.version == self._version and not self._link.doubted:
            return
        if routes.version != self._version:
            self._cargo.asking.clear()
        self._version, self._link.doubted = routes.version, False
        residents = self._cargo.residents() - self._cargo.asking
        nodes = {writer: routes.node(log_of(writer.claim.task_id)) for writer in residents}
        self._hand_over({it: (node, False) for it, node in nodes.items() if node is not self.node})

    def _hand_over(self, targets: Mapping[AttemptWriter, tuple[Redis, bool]]) -> None:
        for parcel in self._cargo.leave(targets) if targets else ():
            node, asking = targets[parcel.writer]
            self._office.move(parcel, node, asking=asking)

    async def _write(self, batch: list[Write], add: Add) -> None:
        began = time.perf_counter()
        try:
            answers, refused = await self._deliver(batch, add)
        except NOT_THERE:
            self._cargo.doubt(self._sent)
            self._cargo.put_back(batch)
            raise
        except ResponseError as error:  # such as NOPERM: Redis takes nothing of the batch, now or later
            answers, refused = [(write, error) for write in batch], dict[AttemptWriter, Exception]()
        full, written = self._conclude(answers, refused)
        if written:
            metrics.appended(written, began)
        if refused:
            await self._wait_or_move(refused)
        if full:
            await self._write_ends(full)
        else:
            self._full = self._full and not batch

    async def _deliver(
        self, batch: list[Write], add: Add
    ) -> tuple[list[Answer], dict[AttemptWriter, Exception]]:
        """The replies to a batch, and of which writers the server takes nothing for now, and why."""
        self._sent, routes = (), self._office.routes
        terms = Terms(self._office.keys, routes.version > 0, self._cargo.asking)
        async with self._link.connection() as (connection, refused):  # now it's known who is fenced
            self._sent = [it for it in batch if not it.writer.fenced and it.writer not in refused]
            answers = await add(connection, self._sent, terms) if self._sent else []
            answers = await looked_up(connection, answers, terms)
        return [*answers, *((it, refused[it.writer]) for it in batch if it.writer in refused)], refused

    def _conclude(
        self, answers: list[Answer], refused: dict[AttemptWriter, Exception]
    ) -> tuple[list[Write], list[Write]]:
        """Tell writers what became of their entries; adds to the refused.

        Gives what found no memory, and what was written.
        """
        written, full = list[Write](), list[Write]()
        held = {writer: list[Write]() for writer in refused}
        for write, reply in answers:
            if isinstance(reply, OutOfMemoryError):
                full.append(write)
                continue
            if isinstance(reply, REFUSED):
                refused.setdefault(write.writer, reply)
                held.setdefault(write.writer, []).append(write)
                continue
            if held and write.writer in held:  # after one that is to be written once more
                held[write.writer].append(write)
                self._cargo.doubt([write])
                continue
            if not isinstance(reply, Exception):
                written.append(write)
            write.writer.wrote(len(write.document), reply)
        self._cargo.answered(it for it, reply in answers if _is_final(reply) and it.writer not in held)
        for writer, writes in held.items():
            self._cargo.hold(writer, writes)
        self._link.acknowledged(written)
        return full, written

    async def _wait_or_move(self, refused: Mapping[AttemptWriter, Exception]) -> None:
        """Hand those over whom the server has sent elsewhere, and try the others again a little later."""
        targets, later = dict[AttemptWriter, tuple[Redis, bool]](), list[AttemptWriter]()
        for writer, error in refused.items():
            redirect = None
            if isinstance(error, AskError) or not later:  # what else is wrong concerns them all alike
                redirect = await self._office.routes.heed(error)
            if redirect is None or redirect.node is self.node:
                later.append(writer)
            else:
                targets[writer] = (redirect.node, redirect.asking)
        self._hand_over(targets)
        if later:
            self._link.doubted = True
            asyncio.get_running_loop().call_later(REFUSED_SECONDS, self._let_go, later)

    def _let_go(self, writers: Sequence[AttemptWriter]) -> None:
        self._cargo.let_go(writers)
        self._wake.set()

    async def _write_ends(self, full: Sequence[Write]) -> None:
        """Redis's memory is used up: write what is queued of tasks that have come to their end."""
        if not self._full:
            log.warning("Redis's memory is used up: events wait, only the ends of tasks are written")
        self._full = True
        self._cargo.put_back(full)
        ends = self._cargo.take_ends()
        try:
            while ends:
                await self._write(ends.pop(), at_last)
        finally:
            for writes in ends:
                self._cargo.put_back(writes)
        self._full = True
        await asyncio.sleep(FULL_SECONDS)


def _is_final(reply: object) -> bool:
    return not isinstance(reply, (OutOfMemoryError, *REFUSED))
