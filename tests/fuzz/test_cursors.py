"""Positions that come from outside: each has one spelling, and all else is refused in one way."""

from __future__ import annotations

import re
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from api.openapi.formats import CursorText, EventIdText, schema_of
from api.problems import Problem
from api.views import read_cursor, write_cursor
from events.errors import InvalidCursor
from events.model import EventId
from tests.fuzz.hostile import ANY_TEXT, BYTES, EDGES, nearly_ids
from tests.support.values import IDS

SHAPE = re.compile("(0|[1-9][0-9]*)-(0|[1-9][0-9]*)", re.ASCII)
GREATEST = "18446744073709551615"
TOLD = re.compile(schema_of(EventIdText)["pattern"])
TOLD_OF_QUERIES = re.compile(schema_of(CursorText)["pattern"])

ANYTHING = ANY_TEXT | nearly_ids()


def is_id(text: str) -> bool:
    """What docs/protocol.md says, by text alone: two canonical numbers below 2^64, and a dash."""
    match = SHAPE.fullmatch(text)
    return match is not None and all(
        (len(part), part) <= (len(GREATEST), GREATEST) for part in match.groups()
    )


def parsed(raw: str | bytes) -> EventId | None:
    """What the parser makes of it; any other error than its own goes through."""
    try:
        return EventId.parse(raw)
    except InvalidCursor:
        return None


@given(ANYTHING)
@example(f"{2**64 - 1}-{2**64}")
@example("1-2\n")
def test_a_text_is_an_id_or_refused(text: str) -> None:
    """It takes exactly those of the regular language, as text and as bytes, and gives their numbers."""
    found = parsed(text)
    assert (found is not None) == is_id(text)
    assert found == parsed(text.encode("utf-8", "surrogatepass"))
    if found is not None:
        assert str(found) == text
        assert list(found) == [int(part) for part in text.split("-")]


@given(BYTES | nearly_ids().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_are_an_id_or_refused(raw: bytes) -> None:
    """As they come in a header, which may hold any; only ASCII digits are digits."""
    found = parsed(raw)
    assert (found is not None) == is_id(raw.decode("latin-1"))
    if found is not None:
        assert bytes(found) == raw


@given(ANYTHING)
@example("")
@example(f"1-{2**64 - 1}")
@example(f"1-{2**64}")
@example(f"{10**20}-1")
def test_the_document_tells_what_an_id_is(text: str) -> None:
    """The pattern in the OpenAPI document is the same language; in a query, empty is none."""
    assert (TOLD.fullmatch(text) is not None) == is_id(text)
    assert (TOLD_OF_QUERIES.fullmatch(text) is not None) == (is_id(text) or not text)


@given(IDS, IDS | st.builds(EventId, EDGES, EDGES))
def test_ids_are_ordered_as_numbers(one: EventId, other: EventId) -> None:
    """First by attempt, then by seq, at any length of their texts."""
    assert (one < other) == ((one.attempt, one.seq) < (other.attempt, other.seq))
    assert (one == other) == (str(one) == str(other))


@st.composite
def nearly_list_cursors(draw: st.DrawFn) -> str:
    """A cursor of ours in which something was put in the place of something else."""
    cursor = write_cursor(str(draw(st.uuids())))
    at = draw(st.integers(0, len(cursor)))
    return cursor[:at] + draw(st.text(max_size=3)) + cursor[at + draw(st.integers(0, 4)) :]


@given(ANY_TEXT | nearly_list_cursors())
def test_a_list_cursor_is_a_tasks_or_refused(text: str) -> None:
    """Only what stands for a task's id comes through, so it can go into a key's name."""
    try:
        found = read_cursor(text)
    except Problem as problem:
        assert (problem.status, problem.code) == (400, "invalid_cursor")  # noqa: PT017
    else:
        assert str(UUID(found)) == found
