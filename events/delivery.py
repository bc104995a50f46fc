"""Writing entries on a connection, and finding out what became of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from events import batches
from events.errors import Fenced
from events.keys import Keys
from events.restoring import ask
from events.transaction import Transaction, execute
from events.writer import AttemptWriter, Write

Answer = tuple[Write, Any]
"""An entry, and the reply to it: an error in its place if it wasn't written."""


class Terms(NamedTuple):
    """On what terms a server is written to.

    Attributes:
        keys: where logs are.
        cluster: whether it is one of a Cluster's.
        asking: the writers whose log is only on its way there.
    """

    keys: Keys
    cluster: bool
    asking: Collection[AttemptWriter]


Add = Callable[[Any, Sequence[Write], Terms], Awaitable[list[Answer]]]
"""Adds entries by a connection of redis-py's; gives the answer to each, a task's in their order."""


async def together(connection: Any, writes: Sequence[Write], terms: Terms) -> list[Answer]:
    """Add entries in one transaction; on a Cluster in one for each task."""
    groups = _by_task(writes) if terms.cluster else [writes]
    answers = list[Answer]()
    transactions = [_transaction(group, terms) for group in groups]
    for group, outcome in zip(groups, await execute(connection, transactions), strict=True):
        answers += _answers(group, outcome)
    return answers


async def at_last(connection: Any, writes: Sequence[Write], terms: Terms) -> list[Answer]:
    """Add a task's last entries, though Redis's memory is used up."""
    command = batches.last_entries(terms.keys, writes)
    return _answers(writes, (await ask(connection, [(writes[0].writer in terms.asking, command)]))[0])


async def looked_up(connection: Any, answers: list[Answer], terms: Terms) -> list[Answer]:
    """The answers, with those that were refused for their id looked up: it's there, or a newer attempt is."""
    errors = [(at, reply) for at, (_, reply) in enumerate(answers) if isinstance(reply, ResponseError)]
    at = [number for number, error in errors if "equal or smaller" in str(error)]
    if not at:
        return answers
    writes = [answers[number][0] for number in at]
    commands = [(write.writer in terms.asking, batches.looking_up(terms.keys, write)) for write in writes]
    for number, write, found in zip(at, writes, await ask(connection, commands), strict=True):
        answers[number] = write, (Fenced(Fenced.__doc__) if found == [] else found)
    return answers


def _transaction(group: Sequence[Write], terms: Terms) -> Transaction:
    entries, bells = batches.additions(terms.keys, group)
    if not terms.cluster:
        return Transaction([*entries, *bells])
    # With a PUBLISH in it, Valkey 9.1 executes a transaction also where a slot's keys have moved away from.
    return Transaction(entries, bells, asking=group[0].writer in terms.asking)


def _by_task(writes: Sequence[Write]) -> list[list[Write]]:
    groups = dict[AttemptWriter, list[Write]]()
    for write in writes:
        groups.setdefault(write.writer, []).append(write)
    return list(groups.values())


def _answers(group: Sequence[Write], outcome: Any) -> list[Answer]:
    if isinstance(outcome, Exception):
        return [(write, outcome) for write in group]
    return list(zip(group, outcome, strict=False))  # replies to bells tell nothing
