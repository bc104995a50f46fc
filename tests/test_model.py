"""Event ids and documents: what a log can hold, and how it looks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import Enum

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from events.codec import MAX_EVENT_BYTES, document, dropped, to_json
from events.errors import InvalidCursor, NotStorable
from events.model import Event, EventId, EventType, parse_timestamp, timestamp

part = st.integers(min_value=0, max_value=2**64 - 1)


@given(part, part)
def test_an_id_is_read_back_as_it_was_written(attempt: int, seq: int) -> None:
    """Text, bytes and number forms agree for every id that Redis could hold."""
    event_id = EventId(attempt, seq)
    assert EventId.parse(str(event_id)) == EventId.parse(bytes(event_id)) == event_id


@given(st.tuples(part, part), st.tuples(part, part))
def test_ids_compare_as_numbers(one: tuple[int, int], other: tuple[int, int]) -> None:
    """1-9 comes before 1-10, which text would get wrong."""
    assert (EventId(*one) < EventId(*other)) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "1", "1-", "-1", "1-2-3", "01-2", "1-02", "+1-2", "1 -2", "1-2\n", "\u0661-\u0662",
        "1-2\x00", "\ud800-1", f"1-{2**64}", f"{2**64}-1", "1-" + "0" * 64, "9" * 70 + "-1",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str) -> None:
    """Only two canonical numbers below 2^64 make an id."""
    with pytest.raises(InvalidCursor):
        EventId.parse(text)


@given(st.binary(max_size=80))
def test_the_parser_never_fails_in_another_way(raw: bytes) -> None:
    """Whatever a client sends, it's an id in its one spelling or InvalidCursor."""
    with contextlib.suppress(InvalidCursor):
        assert bytes(EventId.parse(raw)) == raw


def test_a_document_is_one_line_of_json_in_a_fixed_order() -> None:
    """Readers may rely on the members and on their order."""
    event = Event(EventType.PROGRESS, {"message": "a\nb"}, node="plan", run="cb7a5eab")
    raw = document(event, EventId(1, 7), 1_795_229_198_123)
    assert raw == (
        b'{"seq":7,"attempt":1,"type":"progress","ts":"2026-11-21T02:46:38.123Z",'
        b'"node":"plan","run":"cb7a5eab","data":{"message":"a\\nb"}}'
    )


class Point(BaseModel):
    """A user's own model."""

    x: float


@dataclass
class Spot:
    """A user's own data class."""

    x: object


class Odd(Enum):
    """A user's own enumeration."""

    NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": None}, b'{"a":null}'), ({1: {"b", "a"}}, b'{"1":["a","b"]}'), (Point(x=1), b'{"x":1.0}')],
)
def test_plain_data_and_models_are_stored(value: object, expected: bytes) -> None:
    """Sets, models and number keys are taken as people mean them."""
    assert to_json(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), [None, float("inf")], {"a": {"b": float("-inf")}}, (float("nan"),),
        Point(x=float("nan")), "\ud800", object(), 2**70, b"bytes", {float("nan")}, {None: float("nan")},
        {float("nan"): 1}, {1: "a", "1": "b"}, Spot(float("nan")), Spot(Point(x=float("nan"))), Odd.NAN,
    ],
)  # fmt: skip
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    """Nothing is changed in silence, NaN to null least of all."""
    with pytest.raises(NotStorable):
        to_json({"data": [None, value]})


def test_a_null_is_no_nan() -> None:
    """The second look for NaN lets a plain null pass."""
    assert to_json({"a": [None, 1.5], "b": {"c": None}, "d": Point(x=1)}) != b""


def test_a_large_event_is_replaced_by_a_trace_of_itself() -> None:
    """The replacement says what was dropped, why, and how large it was."""
    event = Event(EventType.NODE_COMPLETED, {"update": "x" * MAX_EVENT_BYTES}, node="plan")
    with pytest.raises(NotStorable) as caught:
        document(event, EventId(1, 2), 0)
    trace = dropped(event, caught.value)
    assert trace.type is EventType.PROGRESS
    assert trace.node == "plan"
    assert trace.data["dropped_type"] == "node.completed"
    assert trace.data["bytes"] > MAX_EVENT_BYTES


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_timestamps_are_read_back_to_the_millisecond(ms: int) -> None:
    """RFC 3339 with three decimals, UTC."""
    text = timestamp(ms)
    assert len(text) == 24
    assert parse_timestamp(text) == ms


def test_documents_decode_to_what_was_meant() -> None:
    """orjson reads back what the log wrote."""
    raw = document(Event(EventType.MESSAGE_DELTA, {"text": "é☃"}), EventId(1, 2), 0)
    assert orjson.loads(raw)["data"] == {"text": "é☃"}
