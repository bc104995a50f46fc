"""How entries reach Redis, as commands: in a batch, as a log's last ones, or put back after a loss. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from events import scripts
from events.keys import Keys
from events.log import Claim
from events.model import now_ms
from events.wire import Command
from events.writer import Write


def additions(keys: Keys, writes: Sequence[Write]) -> tuple[list[Command], list[Command]]:
    """An XADD for each entry, and one bell a task."""
    entries, rung = list[Command](), dict[str, bytes]()
    for writer, raw_id, kind, document in writes:
        task_id = writer.claim.task_id
        entries.append(("XADD", keys.log(task_id), raw_id, "type", kind, "event", document))
        rung[task_id] = raw_id
    return entries, [("PUBLISH", keys.bell(task_id), last) for task_id, last in rung.items()]


def looking(keys: Keys, claim: Claim) -> Command:
    """What shows the last entry of a log."""
    return ("XREVRANGE", keys.log(claim.task_id), "+", "-", "COUNT", "1")


def looking_up(keys: Keys, write: Write) -> Command:
    """What shows the entry that has that write's id, if there is one."""
    return ("XRANGE", keys.log(write.writer.claim.task_id), write.raw_id, write.raw_id)


def last_entries(keys: Keys, writes: Sequence[Write]) -> Command:
    """What adds all that a log still lacks, though Redis's memory is used up; they are of one task."""
    task_id = writes[0].writer.claim.task_id
    return ("EVAL", scripts.LAST_ENTRIES, "1", keys.log(task_id), keys.bell(task_id), *_parts(writes))


def restoring(keys: Keys, claim: Claim, writes: Sequence[Write]) -> Command:
    """What puts back those entries of an attempt that Redis lost."""
    task_id = claim.task_id
    names = (keys.log(task_id), keys.task(task_id), keys.lease(task_id), keys.tombstone(task_id))
    about = (claim.owner, str(claim.started.attempt), keys.bell(task_id))
    record = (str(len(claim.record)), *claim.record)
    return ("EVAL", scripts.RESTORE, str(len(names)), *names, *about, *record, *_parts(writes))


def announcing(keys: Keys, claims: Sequence[Claim]) -> list[Command]:
    """What lists restored tasks again, and makes them due: a terminal event may have been put back."""
    commands = list[Command]()
    for claim in claims:
        commands.append(_essential("ZADD", keys.deadlines, str(now_ms()), claim.task_id))
        for index in keys.listing(claim.task_id, claim.subject):
            commands.append(_essential("ZADD", index, "0", claim.task_id))
    return commands


def _essential(name: str, key: str, *rest: str) -> Command:
    return ("EVAL", scripts.ESSENTIAL, "1", key, name, *rest)


def _parts(writes: Sequence[Write]) -> list[str | bytes]:
    return [part for write in writes for part in (write.raw_id, write.kind, write.document)]
