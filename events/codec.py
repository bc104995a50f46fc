"""Events to JSON documents. Pure; the only place that decides what a log entry can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import chain
from typing import cast

import orjson
from pydantic import BaseModel

from events.errors import NotStorable
from events.model import JSON, Event, EventId, EventType, timestamp
from events.redaction import Redactor

MAX_EVENT_BYTES = 256 * 1024
"""The largest document that a graph's own event may become."""

MAX_RESULT_BYTES = 1024 * 1024
"""The largest document that a task's submission or result may become: as large as a request's body."""

_SHORTEST_ENVELOPE = len('{"seq":1,"attempt":1,"type":"progress","ts":"2026-11-21T02:46:38.123Z",')

_LARGE = frozenset({EventType.TASK_SUBMITTED, EventType.TASK_SUCCEEDED, EventType.TASK_INTERRUPTED})


def to_json(value: JSON) -> bytes:
    """Encode a value as JSON in UTF-8.

    Raises:
        NotStorable: it holds something that JSON can't: NaN, an infinity, a lone surrogate, an integer
            over 64 bits, two keys that are the same as text, an object that is neither plain data nor a
            Pydantic model.
    """
    try:
        raw = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotStorable(f"not JSON: {error}") from None
    # orjson writes NaN as null, which would change a value in silence; only then is it worth a second look.
    if b"null" in raw and _has_nan(value):
        raise NotStorable("not JSON: NaN or an infinity")
    return raw


def document(event: Event, event_id: EventId, ms: int, redactor: Redactor | None = None) -> bytes:
    """The entry's JSON document for an event, without the secrets that the redactor knows.

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
    raw = _within_limit(to_json(envelope), event.type)
    if redactor is None or not redactor.suspects(_telling(event, raw)):
        return raw
    envelope["data"] = redactor.data(event.type, orjson.loads(raw)["data"])
    return _within_limit(to_json(envelope), event.type)


def dropped(event: Event, error: NotStorable) -> Event:
    """What is logged in place of a graph's event that can't be stored."""
    data = {"dropped": True, "dropped_type": event.type, "reason": error.reason, "bytes": error.size}
    return Event(EventType.PROGRESS, data, event.node, event.run)


def _telling(event: Event, raw: bytes) -> str | bytes:
    """The part that a user's words are in: of most events of a busy log, the pieces of messages, a few."""
    if event.type is EventType.MESSAGE_DELTA:
        return str(event.data.get("text", ""))
    return raw[_SHORTEST_ENVELOPE:]


def _within_limit(raw: bytes, kind: EventType) -> bytes:
    limit = MAX_RESULT_BYTES if kind in _LARGE else MAX_EVENT_BYTES
    if len(raw) > limit:
        raise NotStorable(f"{len(raw)} bytes, the limit is {limit}", len(raw))
    return raw


def _plain(value: object) -> JSON:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[str]", value), key=str)
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def _encode(value: JSON) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:  # nearly always for a key that is no text, which is worth a second, slower try
        raw = orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    json.loads(raw, object_pairs_hook=_distinct)
    return raw


def _distinct(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("two keys of an object are the same text")


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return any(map(_has_nan, _parts(value)))


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return chain(mapping.keys(), mapping.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return cast("list[object]", value)
    if isinstance(value, BaseModel):
        return (value.model_dump(),)
    if isinstance(value, Enum):
        return (value.value,)
    if is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, field.name) for field in fields(value))
    return ()
