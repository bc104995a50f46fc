"""The pure parts of a pod: negotiation, body depth, cursors, views. Framing is in `test_api_sse`."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message
from uuid_utils import uuid7

from api.accept import choose, takes_event_stream
from api.body import read_json
from api.inputs import check_input
from api.problems import Problem
from api.views import read_cursor, task_view, write_cursor
from events.errors import InvalidCursor
from events.graphs import GraphDescriptor
from events.model import Entry, EventId
from events.state import TaskState
from tests.support.values import IDS, SCALARS, TEXT, VALUES

JSON, SSE = "application/json", "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON), ("", JSON), ("*/*", JSON), (SSE, SSE), (f"{SSE}, */*", JSON), ("text/*", SSE),
        (f"{JSON};q=0.5, {SSE}", SSE), (f"{JSON};q=0.5, {SSE};q=0.4", JSON), (f"{SSE.upper()};Q=1", SSE),
        (f"*/*, {JSON};q=0", SSE), (f"{SSE}; charset=utf-8 ; q=0.9, {JSON};q=0.8", SSE),
        ("text/html, */*;q=0.1", JSON),
        (f" {SSE} ,, ", SSE), (f"application/*;q=0.2, {SSE};q=0.1", JSON),
    ],
)  # fmt: skip
def test_the_best_offer_is_chosen(accept: str | None, chosen: str) -> None:
    """By quality; the most specific range counts; among equals the first offer."""
    assert choose(accept, [JSON, SSE]) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", f"{JSON};q=0, {SSE};q=0.0", "*/*;q=0", "image/*", "json", f"{SSE};q=x"]
)
def test_no_offer_is_a_406(accept: str) -> None:
    """It says what there is."""
    with pytest.raises(Problem) as caught:
        choose(accept, [JSON, SSE])
    assert (caught.value.status, caught.value.code) == (406, "not_acceptable")
    assert JSON in caught.value.detail
    assert SSE in caught.value.detail


@given(st.text())
def test_negotiation_never_fails_in_another_way(accept: str) -> None:
    """Whatever a header holds."""
    refusals: list[Problem] = []
    try:
        choose(accept, [JSON, SSE])
    except Problem as problem:
        refusals.append(problem)
    assert [problem.status for problem in refusals] in ([], [406])
    takes_event_stream(accept)


def test_only_a_client_that_names_it_takes_an_event_stream() -> None:
    """An EventSource does; a wildcard doesn't make one."""
    assert takes_event_stream("Text/Event-Stream")
    assert takes_event_stream("text/event-stream, */*;q=0.1")
    assert not takes_event_stream("*/*")
    assert not takes_event_stream("text/*")
    assert not takes_event_stream(None)


async def read(body: bytes) -> Any:
    """A body as `read_json` reads it, in chunks of 7 bytes or a few."""
    size = max(7, len(body) // 5)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]

    async def receive() -> Message:
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    return await read_json(Request(scope, receive))


@given(VALUES)
def test_a_body_is_read_as_it_was_meant(value: Any) -> None:
    """However it was cut into chunks."""
    assert asyncio.run(read(orjson.dumps(value))) == value


@given(st.lists(st.booleans(), max_size=90), SCALARS)
@example([True] * 64, 1)
@example([False] * 65, 1)
def test_depth_counts_boxes_in_boxes(boxes: list[bool], value: Any) -> None:
    """Lists and objects alike; siblings don't count; 64 are taken and 65 aren't."""
    for box in boxes:
        value = [1, value, None] if box else {"a": value, "b": 2}
    if len(boxes) <= 64:
        assert asyncio.run(read(orjson.dumps(value))) == value
    else:
        with pytest.raises(Problem) as caught:
            asyncio.run(read(orjson.dumps(value)))
        assert (caught.value.status, caught.value.code) == (400, "too_deep")


@given(st.one_of(st.text(), st.from_regex(r"\A[0-9]{1,21}-[0-9]{1,21}\Z"), st.from_regex(r"\A\S+-\S+\Z")))
def test_a_cursor_is_canonical_or_refused(text: str) -> None:
    """Each position has one spelling, so that equal strings and equal positions are the same thing."""
    try:
        parsed = EventId.parse(text)
    except InvalidCursor:
        return
    assert str(parsed) == text
    assert max(parsed) < 2**64


@given(IDS)
def test_every_event_id_is_a_cursor(entry_id: EventId) -> None:
    """As text and as bytes."""
    assert EventId.parse(str(entry_id)) == EventId.parse(bytes(entry_id)) == entry_id


def test_a_list_cursor_is_read_back() -> None:
    """Opaque to the client, and not a task's id as it stands."""
    task_id = str(uuid7())
    assert read_cursor(write_cursor(task_id)) == task_id
    assert task_id not in write_cursor(task_id)


@given(st.text())
def test_a_list_cursor_that_is_not_ours_is_refused(text: str) -> None:
    """In one way, whatever it holds."""
    with pytest.raises(Problem) as caught:
        read_cursor(text)
    assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")


SHOWN: list[tuple[tuple[str, str, dict[str, Any]], dict[str, str], str, str | None]] = [
    (("0-1", "task.submitted", {}), {}, "queued", None),
    (("1-2", "attempt.started", {}), {"worker": "w"}, "running", "worker"),
    (("1-3", "progress", {}), {"cancel_requested_at": "x"}, "cancelling", None),
    (("1-3", "task.interrupted", {"interrupts": [1]}), {}, "waiting", "interrupts"),
    (("1-3", "task.succeeded", {"result": None}), {}, "succeeded", "result"),
    (("1-3", "task.failed", {"code": "x"}), {"cancel_requested_at": "x"}, "failed", "error"),
    (("1-3", "task.cancelled", {}), {"cancel_requested_at": "x"}, "cancelled", None),
]


@pytest.mark.parametrize(("last", "more", "status", "member"), SHOWN)
def test_a_task_is_shown_by_its_logs_end(
    last: tuple[str, str, dict[str, Any]], more: dict[str, str], status: str, member: str | None
) -> None:
    """The status, and the one member that belongs to it."""
    record = {
        "graph": "g",
        "created_at": "c",
        "thread_id": "t",
        "metadata": '{"a":1}',
        "status": "stale",
        **more,
    }
    state = TaskState("id", record, _entry("0-1", "task.submitted", {}), _entry(*last))
    view = task_view(state)
    assert view["status"] == status
    assert view["attempt"] == int(last[0][0])
    assert view["metadata"] == {"a": 1}
    assert (view["ended_at"] is not None) == (status in ("succeeded", "failed", "cancelled"))
    optional = {"result", "error", "interrupts", "worker"}
    assert optional & view.keys() == ({member} if member else set())


@given(VALUES, st.dictionaries(TEXT, VALUES))
def test_a_check_of_an_input_names_only_what_the_schema_names(value: Any, extra: dict[str, Any]) -> None:
    """Names that a client made up, however close to JSON Schema's own words, stay out of the answer."""
    schema = {"properties": {"n": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}}
    graph = GraphDescriptor("g", "", {"type": "object", **schema}, "", "default")
    paths: set[str] = set()
    try:
        check_input(graph, {**extra, "n": value})
    except Problem as problem:
        paths = {item["path"] for item in problem.extra["errors"]}
    assert paths <= {"", "/n"} | {f"/{word}" for word in ("properties", "additionalProperties", "type")}


def _entry(entry_id: str, kind: str, data: dict[str, Any]) -> Entry:
    return Entry(
        entry_id.encode(), kind.encode(), orjson.dumps({"ts": "2026-11-21T00:00:00.000Z", "data": data})
    )
