"""The translator and the codec behind it: whatever a graph streams, the log gets events that it can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from events.codec import document, dropped
from events.errors import NotStorable
from events.model import Event, EventId, EventType
from tests.fuzz.hostile import ANY_TEXT
from tests.fuzz.values import ANYTHING, OBJECTS, ODD_OBJECTS, Shy
from worker.attribution import Attributed
from worker.translate import Translator, in_words

AT = EventId(1, 2)


class Unspeakable(Exception):
    """An error that raises when it is made a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text of mine")


ERRORS = st.one_of(
    ANY_TEXT.map(ValueError),
    ANY_TEXT,
    st.builds(Unspeakable),
    st.just(KeyError(Shy())),
    st.just(ExceptionGroup("\n", [ValueError("\r")])),
)

RUNS = st.sampled_from(["0123456789abcdef", "01234567-89ab", "", "\ud800" * 9])
NAMESPACES = st.lists(st.builds("{}:{}".format, ANY_TEXT, RUNS) | ANY_TEXT, max_size=3).map(tuple)
STARTS = st.fixed_dictionaries({"id": RUNS, "name": ANY_TEXT, "input": ANYTHING, "triggers": st.just(())})
INTERRUPTS = st.lists(st.fixed_dictionaries({"id": ANY_TEXT, "value": ANYTHING}), max_size=2)
ENDS = st.fixed_dictionaries(
    {"id": RUNS, "name": ANY_TEXT, "error": st.none() | ERRORS, "interrupts": INTERRUPTS, "result": ANYTHING}
)
BLOCKS = st.lists(
    ANY_TEXT
    | st.dictionaries(st.sampled_from(["type", "text", "index"]), ANY_TEXT | st.none() | st.just("text")),
    max_size=3,
)
CONTENTS = ANY_TEXT | BLOCKS
IDS = st.none() | ANY_TEXT
MESSAGES = st.one_of(
    st.builds(AIMessageChunk, content=CONTENTS, id=IDS, chunk_position=st.none() | st.just("last")),
    st.builds(AIMessage, content=CONTENTS, id=IDS),
    st.builds(HumanMessage, content=CONTENTS, id=IDS),
    st.builds(SystemMessage, content=CONTENTS, id=IDS),
    st.builds(ToolMessage, content=CONTENTS, id=IDS, tool_call_id=ANY_TEXT),
)
METADATA = st.dictionaries(st.sampled_from(["langgraph_checkpoint_ns", "langgraph_node"]), ANY_TEXT)
CUSTOM = ANYTHING | ODD_OBJECTS | st.builds(Attributed, st.none() | ANY_TEXT, st.none() | ANY_TEXT, ANYTHING)


def parts(kind: str, data: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Stream parts as LangGraph gives them."""
    return st.fixed_dictionaries({"type": st.just(kind), "ns": NAMESPACES, "data": data})


PARTS = st.one_of(
    parts("tasks", STARTS),
    parts("tasks", ENDS),
    parts("custom", CUSTOM),
    parts("messages", st.tuples(MESSAGES, METADATA)),
    parts("values", ANYTHING),
)


def stored(event: Event) -> bytes:
    """The event's document, or that of its trace, as a writer takes it."""
    try:
        return document(event, AT, 0)
    except NotStorable as error:
        return document(dropped(event, error), AT, 0)


@settings(suppress_health_check=[HealthCheck.data_too_large])
@given(st.lists(PARTS, max_size=5))
def test_whatever_a_graph_streams_can_be_told(streamed: list[Mapping[str, Any]]) -> None:
    """No part makes the translator raise, and each event, or a trace of it, is one line of JSON."""
    translator = Translator()
    for part in streamed:
        for event in translator.translate(part):
            raw = stored(event)
            assert b"\n" not in raw
            assert b"\r" not in raw
            shown = orjson.loads(raw)
            assert shown["type"] in (event.type, EventType.PROGRESS)
            assert isinstance(shown["data"], dict)


@settings(suppress_health_check=[HealthCheck.data_too_large])
@given(OBJECTS)
def test_what_is_stored_is_what_was_meant(data: Mapping[Any, Any]) -> None:
    """No value becomes another in silence: what comes out again is stored as the very same bytes."""
    try:
        raw = document(Event(EventType.PROGRESS, data), AT, 0)
    except NotStorable:
        return
    again = document(Event(EventType.PROGRESS, orjson.loads(raw)["data"]), AT, 0)
    assert again == raw


def test_an_error_that_cannot_be_shown_is_told_all_the_same() -> None:
    """Its type is; an error must not hide behind one in its own text."""
    data = {"id": "0123456789", "name": "\ud800n", "error": Unspeakable(), "interrupts": (), "result": None}
    (event,) = Translator().translate({"type": "tasks", "ns": (), "data": data})
    assert (event.type, event.node) == (EventType.NODE_FAILED, "?n")
    assert event.data == {"message": "Unspeakable: (its text can't be had: RuntimeError)"}
    assert b"dropped" not in stored(event)


def test_an_error_is_told_in_one_line() -> None:
    """The first one, and not all of it; half a character is a question mark."""
    assert in_words(ValueError("one\ntwo")) == "ValueError: one"
    assert in_words(ValueError("\ud800")) == "ValueError: ?"
    assert in_words(ValueError()) == "ValueError: "
    assert len(in_words(ValueError("x" * 300_000))) == 2000
