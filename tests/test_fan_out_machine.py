"""A log's tail against a model: in any order of calls each reader has what the log has, and nothing else."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    precondition,
    rule,
    run_state_machine_as_test,
)

from events.model import START, Entry, EventId, EventType
from events.position import Located, Page, dense_part, place
from events.tail import Tail
from tests.support.readers import Collector, Plain

KINDS = st.sampled_from([*[EventType.PROGRESS] * 9, EventType.TASK_SUCCEEDED])


class Client(Collector):
    """A reader that has everything up to a place, and what its client makes of what it is told from there."""

    def __init__(self, held: list[EventId]) -> None:
        super().__init__()
        self.held = held
        self.missing = 0
        self.position = self.newest
        self.page: Page | None = None

    @property
    def newest(self) -> EventId:
        """The last event it has."""
        return self.held[-1] if self.held else START

    def listen(self) -> None:
        """Events are dense but for gaps that are told, and only a rewind goes back."""
        for word in self.words:
            kind, _, value = word.rpartition(":")
            if kind == "gap":
                self.missing += int(value)
                continue
            told = EventId.parse(value)
            if kind == "rewound":
                self.held = [it for it in self.held if it <= told]
            else:
                assert told > self.newest, self.words
                assert told.seq == self.newest.seq + self.missing + 1, self.words
                self.held.append(told)
            self.missing = 0
        self.words.clear()


class TailMachine(RuleBasedStateMachine):
    """Grow, lose, come, read, join, deliver, leave, seal: in any order, as a tailer is held up anywhere."""

    clients: Bundle[Client] = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.log = [Entry(b"0-1", b"task.submitted", b"{}")]
        self.log += [Entry(b"1-%d" % seq, b"progress", b"{}") for seq in range(2, 6)]
        self.lost = set[EventId]()
        self.attempt = 1
        self.tail = Tail(Plain(), START)
        self.readers: list[Client] = []
        self.catch_up(self.come(lacks=5))

    @property
    def sealed(self) -> bool:
        """Whether nothing can come any more."""
        return self.log[-1].terminal

    @precondition(lambda self: not self.sealed)
    @rule(
        count=st.integers(1, 4), kind=st.sampled_from([*[EventType.PROGRESS] * 9, EventType.TASK_SUCCEEDED])
    )
    def grow(self, count: int, kind: EventType) -> None:
        """The newest attempt writes, the last time perhaps."""
        for number in range(count):
            raw_type = (kind if number == count - 1 else EventType.PROGRESS).encode()
            event_id = EventId(self.attempt, self.log[-1].id.seq + 1)
            self.log.append(Entry(bytes(event_id), raw_type, b"{}"))

    @precondition(lambda self: not self.sealed and len(self.log) > 1)
    @rule(keep=st.integers(1, 10))
    def roll_back(self, keep: int) -> None:
        """Redis loses the log's end, and another attempt goes on from there."""
        if keep < len(self.log):
            del self.log[keep:]
            self.attempt += 1
            self.grow(1, EventType.PROGRESS)

    @rule(after=st.integers(1, 10), count=st.integers(1, 3))
    def lose(self, after: int, count: int) -> None:
        """Redis loses entries in the middle of an attempt."""
        part = self.log[after : after + count + 2]
        gone = part[1:-1]
        if gone and part[0].id.attempt == part[-1].id.attempt:
            self.lost.update(entry.id for entry in gone)
            self.log = [entry for entry in self.log if entry not in gone]

    @rule(target=clients, lacks=st.integers(0, 6))
    def come(self, lacks: int) -> Client:
        """A client comes back that lacks the last few events; the first page for it is read at once."""
        client = Client([entry.id for entry in self.log[: max(len(self.log) - lacks, 0)]])
        self.readers.append(client)
        self.read(client, 8)
        return client

    @rule(client=clients, count=st.integers(1, 8))
    def read(self, client: Client, count: int) -> None:
        """The next page of a client's history comes from Redis."""
        if not self._joined(client) and client.page is None and not client.ended:
            client.page = self._page(client.position, count)

    @rule(client=clients)
    def take(self, client: Client) -> None:
        """The client gets that page, and joins if that was all there was."""
        page, client.page = client.page, None
        if page is None or client.ended:
            return
        client.position = page.position
        data = self.tail.codec.notice(page.notice) if page.notice else self.tail.codec.entries(page.entries)
        client.push(data)
        if page.last:
            client.end()
        elif page.drained:
            self.tail.join(client, page.position)
        client.listen()

    @rule(client=clients)
    def catch_up(self, client: Client) -> None:
        """The client gets all its history, undisturbed, and joins."""
        while not (self._joined(client) or client.ended):
            self.read(client, 5)
            self.take(client)

    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        """The pump reads what comes next."""
        if not (self.tail.live or self.tail.ahead):
            return
        entries = self._after(self.tail.position)[:count]
        dense = dense_part(self.tail.position, entries)
        if dense:
            self.tail.deliver(dense)
        if len(dense) < len(entries):
            self.doubt()
        for client in self.readers:
            client.listen()

    @precondition(lambda self: not self.sealed)
    @rule(count=st.integers(1, 4))
    def go_on(self, count: int) -> None:
        """The log grows, and all that's new is delivered."""
        self.grow(count, EventType.PROGRESS)
        self.deliver(len(self.log))

    @rule()
    def doubt(self) -> None:
        """The pump looks whether its position still holds."""
        located = self._locate(self.tail.position)
        if located.notice is not None:
            self.tail.move(located.position, located.notice)
            if located.ended:
                self.tail.end()

    @rule(client=consumes(clients))
    def leave(self, client: Client) -> None:
        """A client goes."""
        self.tail.leave(client)
        self.readers.remove(client)

    def teardown(self) -> None:
        """Once all is delivered, who has joined has the whole log, and of what was lost only what it had."""
        if not self.sealed:
            self.grow(1, EventType.PROGRESS)
        joined = [client for client in self.readers if self._joined(client)]
        for _ in range(len(self.log) + 2):
            self.deliver(5)
        for client in joined:
            assert set(client.held) - self.lost == {entry.id for entry in self.log} - self.lost
            assert all(one < other for one, other in pairwise(client.held))

    def _joined(self, client: Client) -> bool:
        return client in self.tail.live or client in self.tail.ahead

    def _after(self, position: EventId) -> list[Entry]:
        return [entry for entry in self.log if entry.id > position]

    def _page(self, position: EventId, count: int) -> Page:
        entries = self._after(position)[:count]
        dense = dense_part(position, entries)
        if dense:
            return Page(dense, dense[-1].id, drained=len(dense) == len(entries) < count)
        if not entries:
            return Page([], position, drained=True)
        located = self._locate(position)
        return Page([], located.position, located.notice, ended=located.ended)

    def _locate(self, position: EventId) -> Located:
        own = [entry for entry in self.log if entry.id == position]
        before = [entry for entry in self.log if entry.id < position][-1:]
        return place(position, own, self._after(position)[:1], before)


def test_every_reader_has_what_the_log_has_in_any_order_of_calls() -> None:
    """Hypothesis looks for an order in which one misses something, gets it twice, or keeps what is gone."""
    run_state_machine_as_test(
        TailMachine, settings=settings(max_examples=200, stateful_step_count=30, deadline=None)
    )
