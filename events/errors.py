"""What can go wrong with a log, one class each. The message says what was wrong and what to do about it."""

from __future__ import annotations


class TaskreelError(Exception):
    """Base of every error that Taskreel raises on purpose."""


class InvalidCursor(TaskreelError):
    """An event id is `<attempt>-<seq>`: two decimal numbers below 2^64, no leading zeros, such as 1-57."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class TaskNotFound(TaskreelError):
    """There is no such task."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class LogExpired(TaskreelError):
    """The task ended and its log has passed its retention."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class TaskExists(TaskreelError):
    """A log with this task id was created before; task ids are never reused."""


class Sealed(TaskreelError):
    """The log holds its terminal event; nothing can be appended any more."""


class Held(TaskreelError):
    """Another worker holds a live lease on the task.

    `remaining_ms` tells for how long, unless that worker renews it.
    """

    def __init__(self, remaining_ms: int) -> None:
        super().__init__(f"another worker holds this task for {remaining_ms} ms more")
        self.remaining_ms = remaining_ms


class NotCopied(TaskreelError):
    """The task is in the log, but not on as many servers or disks as it must be; look again, or wait."""


class AlreadyEnded(TaskreelError):
    """The task has ended; there is nothing left to cancel."""


class NotWaiting(TaskreelError):
    """The task waits for no such answer: it has been given one, or asks something else by now, or nothing."""


class Waiting(TaskreelError):
    """The task waits for the answer to an interrupt and none has been given."""


class Moved(TaskreelError):
    """The log has grown since the caller looked at it; look again and claim with what is there now."""


class Fenced(TaskreelError):
    """A newer attempt has opened; this attempt's writes are refused by Redis and it must stop."""


class QuotaExceeded(TaskreelError):
    """The task has written more events or bytes than it may."""


class ThreadBusy(TaskreelError):
    """The thread has an unfinished task. `task_id` names it."""

    def __init__(self, thread_id: str, task_id: str) -> None:
        super().__init__(f"thread {thread_id!r} has an unfinished task, {task_id}: wait for it or cancel it")
        self.task_id = task_id


class KeyReused(TaskreelError):
    """This Idempotency-Key was used with a different request; use a new key for a new request."""


class NotStorable(TaskreelError):
    """A value that a log entry can't hold: not JSON, or larger than its limit."""

    def __init__(self, reason: str, size: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.size = size


class SettingsError(TaskreelError):
    """A setting is wrong; the message names the variable, what it held and what it takes."""
