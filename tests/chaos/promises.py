"""What was promised and what was read under a load, held against the logs as they are in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.figures import median
from events.model import Entry, EventType, parse_timestamp
from tests.chaos.load import Load
from tests.chaos.readers import Reader, differences
from tests.chaos.tasks import check_log

Logs = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a fault may do. An acknowledged end that is lost, and a loss that nobody is told of, never may.

    Attributes:
        losses: readers may be told of gaps and of rewound logs.
        begun: what was submitted may be gone with all of its log.
        shown: an end that readers were shown before its writer died, unacknowledged, may be another one.
    """

    losses: bool = True
    begun: bool = True
    shown: bool = False


async def judge(load: Load, terms: Terms) -> tuple[dict[str, str], list[str]]:
    """Figures for the table, and a sentence for each thing that is wrong."""
    task_ids = list({reader.task_id for reader in load.readers})
    logs = {task_id: await load.party.tasks.entries(task_id) for task_id in task_ids}
    kept = {task_id: entries for task_id, entries in logs.items() if entries}
    ends = {(task_id, entry.raw_id) for task_id, log in kept.items() for entry in log if entry.terminal}
    shown = {(reader.task_id, event_id) for reader in load.readers for event_id in reader.shown}
    acknowledged = set(load.acknowledged.items())
    promised = acknowledged if terms.shown else acknowledged | shown
    excused = {task_id for task_id, _ in shown - ends - acknowledged} if terms.shown else set[str]()
    unlike = {
        reader.task_id: found
        for reader in load.readers
        if reader.task_id not in excused and (found := _compare(reader, logs[reader.task_id], terms))
    }
    wrong = [f"task {task_id}: {what}" for task_id, entries in kept.items() for what in check_log(entries)]
    wrong += [f"task {task_id}: its acknowledged end {end} is lost" for task_id, end in promised - ends]
    wrong += [f"a reader of task {task_id} {what}" for task_id, found in unlike.items() for what in found]
    if not terms.begun:
        wrong += [f"task {task_id} is gone" for task_id in logs.keys() - kept.keys()]
    connections = sum(reader.connections for reader in load.readers)
    figures = {
        "tasks": f"{len(logs):,}, {len(logs) - len(kept)} of them gone",
        "entries": f"{sum(map(len, logs.values())):,}, {_rate(kept.values())} in a usual second",
        "takeovers": f"{sum(map(_takeovers, kept.values())):,}",
        "longest pause in a log": f"{max(map(_pause, kept.values()), default=0):.1f} s",
        "streams": f"{len(load.readers):,}, {connections:,} connections",
        "readers told of rewound logs": str(sum(bool(reader.rewinds) for reader in load.readers)),
        "readers told of gaps": str(sum(bool(reader.gaps) for reader in load.readers)),
        "tasks with a reader that has another log": str(len(unlike)),
        "acknowledged ends": f"{len(acknowledged):,}, {len(acknowledged - ends)} lost",
        "ends shown": f"{len(shown):,}, {len(shown - ends)} taken back",
    }
    return figures, wrong


def _rate(logs: Iterable[Sequence[Entry]]) -> int:
    """The median over the seconds in which anything was appended."""
    moments = [parse_timestamp(entry.event["ts"]) for entries in logs for entry in entries]
    return round(median(Counter(moment // 1000 for moment in moments).values()))


def _takeovers(entries: Sequence[Entry]) -> int:
    """Attempts after the first one."""
    return sum(entry.type is EventType.ATTEMPT_STARTED for entry in entries[2:])


def _pause(entries: Sequence[Entry]) -> float:
    """The longest time between two entries of a log, in seconds."""
    moments = [parse_timestamp(entry.event["ts"]) for entry in entries]
    return max((after - before for before, after in pairwise(moments)), default=0) / 1000


def _compare(reader: Reader, entries: Sequence[Entry], terms: Terms) -> list[str]:
    """What is wrong with what a reader has in the end, and what it was told."""
    if not entries:
        return [] if reader.refused or reader.sealed else ["was never told that the task is gone"]
    found = differences(reader, entries)
    found += [f"was refused with {reader.refused}"] if reader.refused else []
    return found + (["was told of a loss"] if not terms.losses and (reader.gaps or reader.rewinds) else [])
