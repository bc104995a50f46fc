"""What a task's log and the record of its nodes' executions tell together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events.model import Entry, EventId, EventType, parse_timestamp
from tests.chaos.graphs import executions
from tests.chaos.tasks import Tasks, check_log


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt.

    Attributes:
        pid: of the worker's process.
        started_ms: when it opened, Unix time.
    """

    attempt: int
    pid: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class Start:
    """One execution of a node began.

    Attributes:
        node: its name; each runs once in a task that nothing happens to.
        last: how far the log was.
        pid: of the process that it runs in.
    """

    node: str
    last: EventId
    pid: int


@dataclass(frozen=True, slots=True)
class History:
    """A task that has ended.

    Attributes:
        task_id: its id.
        entries: its log.
        starts: its nodes' executions, as they themselves recorded them.
    """

    task_id: str
    entries: Sequence[Entry]
    starts: Sequence[Start]

    @property
    def turns(self) -> list[Turn]:
        """Its attempts."""
        return [
            Turn(entry.id.attempt, _pid(entry.event["data"]["worker"]), parse_timestamp(entry.event["ts"]))
            for entry in self.entries
            if entry.type is EventType.ATTEMPT_STARTED
        ]

    @property
    def run_again(self) -> list[str]:
        """Nodes that were started when the log said already that they had completed.

        Started by the worker that had the task, that is: a paused one can't know that it has it no more.
        """
        completed: dict[str, EventId] = {}
        for entry in self.entries:
            if entry.type is EventType.NODE_COMPLETED:
                completed.setdefault(entry.event["node"], entry.id)
        begun = [start for start in self.starts if start not in self.zombie_starts]
        return [it.node for it in begun if it.node in completed and completed[it.node] <= it.last]

    @property
    def zombie_starts(self) -> list[Start]:
        """Executions that began in a process when another one had the task."""
        holders = {turn.attempt: turn.pid for turn in self.turns}
        return [start for start in self.starts if holders.get(start.last.attempt) != start.pid]

    @property
    def foreign(self) -> list[str]:
        """Ids of progress entries in an attempt whose worker isn't the process that wrote them."""
        pids = {turn.attempt: turn.pid for turn in self.turns}
        progress = [entry for entry in self.entries if entry.type is EventType.PROGRESS]
        return [
            str(entry.id) for entry in progress if pids.get(entry.id.attempt) != entry.event["data"]["pid"]
        ]

    @property
    def result(self) -> Any:
        """Of the task, None if it didn't succeed."""
        last = self.entries[-1]
        return last.event["data"]["result"] if last.type is EventType.TASK_SUCCEEDED else None

    def wrong(self, nodes: Sequence[str]) -> list[str]:
        """What is wrong with it, if each of those nodes should have contributed to its result once."""
        found = check_log(self.entries)
        last = self.entries[-1]
        if last.type is not EventType.TASK_SUCCEEDED:
            found.append(f"it ended with {last.type} {last.event['data']}")
        elif Counter(node for node, _ in self.result["items"]) != Counter(nodes):
            found.append(f"its result is {self.result['items']}")
        completed = Counter(
            entry.event["node"] for entry in self.entries if entry.type is EventType.NODE_COMPLETED
        )
        if completed != Counter(nodes):
            found.append(f"its nodes completed, by its log: {dict(completed)}")
        found += [f"node {node} ran again, finished as it was" for node in self.run_again]
        if found:
            found.append(self.story)
        return [f"task {self.task_id}: {sentence}" for sentence in found]

    @property
    def story(self) -> str:
        """Its log on one line, progress left out, and each node's starts."""
        told = [
            f"{entry.id} {entry.type} {entry.event.get('node', '')} {entry.event.get('run', '')}".rstrip()
            for entry in self.entries
            if entry.type is not EventType.PROGRESS
        ]
        starts = [f"{start.node} after {start.last} by process {start.pid}" for start in self.starts]
        workers = [f"{turn.attempt} by process {turn.pid}" for turn in self.turns]
        return f"its log: {'; '.join(told)}. Attempts: {'; '.join(workers)}. Starts: {'; '.join(starts)}"


async def read_history(its: Tasks, task_id: str) -> History:
    """Read both."""
    redis: Any = its.log.redis
    lines = [line.decode().split() for line in await redis.lrange(executions(task_id), 0, -1)]
    starts = [Start(node, EventId.parse(last), int(pid)) for node, last, pid in lines]
    return History(task_id, await its.entries(task_id), starts)


def _pid(worker: str) -> int:
    return int(worker.split(":")[1])
