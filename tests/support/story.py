"""Events as a log would hold them, made up for tests of what is shown of them."""

from __future__ import annotations

from typing import Any

from events.model import timestamp

BEGAN_MS = 1_795_000_000_000
"""When every story begins, Unix time in milliseconds."""


class Story:
    """A log that is made up, event by event; each comes when the story's clock says.

    Attributes:
        events: as `GET /tasks/{id}/events` gives them.
        attempt: the one that runs.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.attempt = 0
        self._ms = 0

    def wait(self, ms: int) -> Story:
        """Let time pass; backwards too, as clocks of hosts do."""
        self._ms += ms
        return self

    def tell(self, kind: str, run: str | None = None, **data: Any) -> Story:
        """The next event; of a node if `run` is given, as `node:run`."""
        node, _, run_id = (run or "").partition(":")
        event: dict[str, Any] = {"seq": len(self.events) + 1, "attempt": self.attempt, "type": kind}
        event["ts"] = timestamp(BEGAN_MS + self._ms)
        self.events.append(event | ({"node": node, "run": run_id} if run else {}) | {"data": data})
        return self

    def submitted(self) -> Story:
        """The first event."""
        return self.tell("task.submitted", graph="made", input={}, thread_id="t", metadata={})

    def attempt_started(self, *supersedes: int) -> Story:
        """The next attempt, which does events of those seqs again."""
        self.attempt += 1
        return self.tell("attempt.started", worker="w", resumed_from=None, supersedes=list(supersedes))

    def started(self, *runs: str, **data: Any) -> Story:
        """Nodes begin."""
        for run in runs:
            self.tell("node.started", run, **data)
        return self

    def progress(self, run: str, **data: Any) -> Story:
        """A node reports."""
        return self.tell("progress", run, **data)

    def completed(self, *runs: str, **data: Any) -> Story:
        """Nodes end."""
        for run in runs:
            self.tell("node.completed", run, **{"update": {}, **data})
        return self

    def failed(self, run: str, message: str) -> Story:
        """A node raises."""
        return self.tell("node.failed", run, message=message)

    def asked(self) -> Story:
        """The task waits for a person."""
        return self.tell("task.interrupted", interrupts=[{"id": "q1", "value": {"question": "Go on?"}}])

    def resumed(self) -> Story:
        """It has its answer."""
        return self.tell("task.resumed", interrupt_id="q1", value="yes")

    def succeeded(self) -> Story:
        """The end."""
        return self.tell("task.succeeded", result={})
