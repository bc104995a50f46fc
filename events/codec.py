"""Events to JSON documents. Pure; the only place that decides what a log entry can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import orjson
from pydantic import BaseModel

from events.errors import NotStorable
from events.model import JSON, Event, EventId, EventType, timestamp

MAX_EVENT_BYTES = 256 * 1024
"""The largest document that a graph's own event may become."""

MAX_RESULT_BYTES = 1024 * 1024
"""The largest document that a task's submission or result may become: as large as a request's body."""

_LARGE = frozenset({EventType.TASK_SUBMITTED, EventType.TASK_SUCCEEDED, EventType.TASK_INTERRUPTED})


def to_json(value: JSON) -> bytes:
    """Encode a value as JSON in UTF-8.

    Raises:
        NotStorable: it holds something that JSON can't: NaN, an infinity, a lone surrogate, an integer
            over 64 bits, an object that is neither plain data nor a Pydantic model.
    """
    try:
        raw = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"not JSON: {error}") from None
    # orjson writes NaN as null, which would change a value in silence; only then is it worth a second look.
    if b"null" in raw and _has_nan(value):
        raise NotStorable("not JSON: NaN or an infinity")
    return raw


def document(event: Event, event_id: EventId, ms: int) -> bytes:
    """The entry's JSON document for an event.

    Raises:
        NotStorable: the data isn't JSON, or the document exceeds the limit for its type.
    """
    envelope: dict[str, JSON] = {
        "seq": event_id.seq,
        "attempt": event_id.attempt,
        "type": event.type,
        "ts": timestamp(ms),
    }
    if event.node is not None:
        envelope["node"] = event.node
    if event.run is not None:
        envelope["run"] = event.run
    envelope["data"] = event.data
    raw = to_json(envelope)
    limit = MAX_RESULT_BYTES if event.type in _LARGE else MAX_EVENT_BYTES
    if len(raw) > limit:
        raise NotStorable(f"{len(raw)} bytes, the limit is {limit}", len(raw))
    return raw


def dropped(event: Event, error: NotStorable) -> Event:
    """What is logged in place of a graph's event that can't be stored."""
    data = {"dropped": True, "dropped_type": event.type, "reason": error.reason, "bytes": error.size}
    return Event(EventType.PROGRESS, data, event.node, event.run)


def _plain(value: object) -> JSON:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[str]", value), key=str)
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_nan(item) for item in cast("Mapping[object, object]", value).values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_has_nan(item) for item in cast("list[object]", value))
    if isinstance(value, BaseModel):
        return _has_nan(value.model_dump())
    return False
