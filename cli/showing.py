"""What is asked of whoever shows events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from events.model import now_ms


@dataclass(frozen=True)
class Showing:
    """What is to be shown, and how.

    Attributes:
        task_id: the task's.
        url: of the pods, for the commands that are shown.
        as_json: whether programs read it.
        clock: Unix milliseconds in the time of the events.
        label: what stands before the status of a replay, such as `replay x10`; empty for what happens now.
    """

    task_id: str
    url: str
    as_json: bool = False
    clock: Callable[[], int] = now_ms
    label: str = ""
