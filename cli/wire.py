"""What a client sends of itself, and what it gets from a pod's stream, decoded: events and notices."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from cli.failures import BadAnswer, InvalidRequest

Event = dict[str, Any]
"""One event of a log: `{seq, attempt, type, ts, node?, run?, data}`."""

_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CURSOR = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a reader should know that is no event of the log.

    Attributes:
        type: `stream.gap` `{requested, first_available, missing}`: events were lost, and it goes on after
            them; `stream.rewound` `{requested, last}`: the log was rolled back, what came after `last` is
            void; `connection.lost` `{url, reason, retry_in}` (seconds); `connection.back` `{url, cursor}`.
        data: as told beside each type.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])


OnNotice = Callable[[Notice], None]


def authorization(token: str | None) -> dict[str, str]:
    """The header that tells who asks; none without a token. Raises InvalidRequest, and never repeats it."""
    if not token:
        return {}
    if _TOKEN.fullmatch(token) is None:
        raise InvalidRequest(
            "the token (TASKREEL_TOKEN) is none: it has printable ASCII alone, and no spaces"
        )
    return {"Authorization": f"Bearer {token}"}


def environment_token() -> str | None:
    """The token that the commands send; it's no option, for all users of a machine see its command lines."""
    return os.environ.get("TASKREEL_TOKEN", "").strip() or None


def check_cursor(after: str | None) -> str | None:
    """A cursor that can be sent; whether it is one of the log's is for the pod to say."""
    if after and _CURSOR.fullmatch(after) is None:
        raise InvalidRequest(f"invalid_cursor: {after!r} is no event id; one looks like 1-57")
    return after or None


def task_path(task_id: str) -> str:
    """The path of a task. Raises InvalidRequest for what can be no id: another path would be asked."""
    if _TASK_ID.fullmatch(task_id) is None:
        raise InvalidRequest(f"{task_id!r} is no task id; `taskreel ls` lists those there are")
    return f"/tasks/{task_id}"


def load_event(text: str | bytes) -> Event:
    """An event's JSON, decoded. Raises BadAnswer."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"the pod sent an event that is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadAnswer("the pod sent an event that is not a JSON object")
    return cast("Event", content)


def event_id(event: Event) -> str:
    """The id of an event of the log, such as `1-57`: the cursor to go on after it. Raises BadAnswer."""
    try:
        return f"{event['attempt']}-{event['seq']}"
    except KeyError as error:
        raise BadAnswer(f"the pod sent an event that has no {error}") from None
