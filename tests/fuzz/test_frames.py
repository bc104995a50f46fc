"""Frames of hostile entries, as a client that isn't ours decodes them: one event each, and exactly that."""

from __future__ import annotations

import httpx
import orjson
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import example, given
from hypothesis import strategies as st

from api import sse
from events.codec import document
from events.errors import NotStorable
from events.model import Entry, Event, EventId, EventType
from tests.fuzz.hostile import ANY_TEXT, BYTES, TEXT
from tests.support.values import IDS, VALUES

HOSTILE_DATA = st.dictionaries(ANY_TEXT, ANY_TEXT | VALUES | st.lists(ANY_TEXT, max_size=3), max_size=4)
NAMES = st.none() | ANY_TEXT


def cut(raw: bytes, sizes: list[int]) -> list[bytes]:
    """Bytes in pieces of those sizes, and the rest."""
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(raw[:size])
        raw = raw[size:]
    return [*pieces, raw]


def decode(frames: bytes, sizes: list[int]) -> list[ServerSentEvent]:
    """What httpx-sse makes of a body that arrives so."""
    headers = {"Content-Type": "text/event-stream"}
    response = httpx.Response(200, headers=headers, content=iter(cut(frames, sizes)))
    return list(EventSource(response).iter_sse())


@given(st.sampled_from(EventType), HOSTILE_DATA, NAMES, NAMES, IDS, st.lists(st.integers(0, 40), max_size=30))
def test_what_a_graph_writes_is_one_event(
    kind: EventType, data: dict[str, object], node: str | None, run: str | None, at: EventId, sizes: list[int]
) -> None:
    """Whatever a graph puts into an event, a client gets that event, with its id, however it is cut."""
    try:
        raw = document(Event(kind, data, node, run), at, 0)
    except NotStorable:
        return
    entry = Entry(bytes(at), kind.encode(), raw)
    after = Entry(b"7-7", b"progress", b"{}")
    found = decode(sse.SseCodec().entries([entry, after]), sizes)
    assert [(it.event, it.id, it.retry) for it in found] == [(kind, str(at), None), ("progress", "7-7", None)]
    assert orjson.loads(found[0].data)["data"] == orjson.loads(orjson.dumps(data))
    assert found[1].data == "{}"


@example(b"1-2\r", b"progress", b"{}", [])
@example(b"1-2", b"progress\rid: 9-9", b"{}", [])
@example(b"1-2", b"progress", b"{}\r\rretry: 1", [3])
@given(BYTES, BYTES, BYTES, st.lists(st.integers(0, 40), max_size=30))
def test_no_bytes_forge_a_frame(raw_id: bytes, raw_type: bytes, raw: bytes, sizes: list[int]) -> None:
    """Even an entry that was put into Redis by hand is one event, or the framer refuses it."""
    before, after = Entry(b"1-1", b"progress", b"[1]"), Entry(b"1-3", b"progress", b"[3]")
    try:
        frames = sse.SseCodec().entries([before, Entry(raw_id, raw_type, raw), after])
    except ValueError:
        assert any(mark in raw_id + raw_type + raw for mark in (b"\n", b"\r"))
        return
    found = decode(frames, sizes)
    assert len(found) == 3
    assert [(it.id, it.event, it.data) for it in (found[0], found[2])] == [
        ("1-1", "progress", "[1]"),
        ("1-3", "progress", "[3]"),
    ]
    assert {it.retry for it in found} == {None}
    assert found[1].data == raw.decode("utf-8", "replace")


@given(st.lists(st.tuples(IDS, TEXT), max_size=4), st.lists(st.integers(0, 40), max_size=30))
def test_chunks_hold_the_frames(texts: list[tuple[EventId, str]], sizes: list[int]) -> None:
    """What goes out over HTTP/1.1 is one chunk, whose length is that of what it holds."""
    entries = [Entry(bytes(at), b"progress", orjson.dumps({"data": text})) for at, text in texts]
    chunk, plain = sse.ChunkCodec().entries(entries), sse.SseCodec().entries(entries)
    size, _, rest = chunk.partition(b"\r\n")
    assert rest.removesuffix(b"\r\n") == plain
    assert int(size or b"0", 16) == len(plain)
    assert [orjson.loads(it.data)["data"] for it in decode(plain, sizes)] == [text for _, text in texts]
