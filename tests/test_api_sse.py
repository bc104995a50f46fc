"""SSE framing: another client decodes what was put in, and nothing an event holds forges a frame."""

from __future__ import annotations

import httpx
import orjson
import pytest
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st

from api import sse
from events.model import Entry, EventId, EventType
from events.position import Gap, Rewound
from tests.support.values import IDS, VALUES


def entry(entry_id: EventId, kind: EventType, value: object) -> Entry:
    """A log's entry with that value in its document."""
    return Entry(bytes(entry_id), kind.encode(), orjson.dumps({"data": value}))


ENTRIES = st.builds(entry, IDS, st.sampled_from(EventType), VALUES)


def decode(frames: bytes) -> list[ServerSentEvent]:
    """What a client that isn't ours makes of those bytes."""
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=frames)
    return list(EventSource(response).iter_sse())


@given(st.lists(ENTRIES, max_size=5))
def test_frames_are_decoded_to_what_was_put_in(entries: list[Entry]) -> None:
    """Id, type and document, whatever text an event holds: line separators of Unicode's, NUL, a BOM."""
    found = decode(sse.SseCodec().entries(entries))
    assert [(event.id, event.event, event.data) for event in found] == [
        (entry.raw_id.decode(), entry.raw_type.decode(), entry.document.decode()) for entry in entries
    ]


HOSTILE = st.binary() | st.lists(
    st.sampled_from(
        [b"\n", b"\r", b"\r\n", b"\n\n", b"id: 9-9", b"data: x", b"event: task.failed", b": c", b"\0"]
    )
).map(b"".join)


@given(HOSTILE, HOSTILE, st.integers(0, 2))
def test_hostile_bytes_never_forge_a_frame(one: bytes, two: bytes, where: int) -> None:
    """Whatever a log's entry holds, a client sees one event for it, or the framer refuses."""
    fields = [b"1-1", b"progress", b"{}"]
    fields[where] = one
    entries = [Entry(*fields), Entry(b"1-2", b"progress", two)]
    try:
        frames = sse.SseCodec().entries(entries)
    except ValueError:
        assert any(mark in one + two for mark in (b"\n", b"\r"))
        return
    assert b"\r" not in frames
    assert len(frames.split(b"\n\n")) == 3
    found = decode(frames)
    assert len(found) == 2
    assert found[1].id == "1-2"


@pytest.mark.parametrize("field", [0, 1, 2])
@pytest.mark.parametrize("forged", [b"\n", b"\r", b"\r\n", b"x\n\nid: 9-9\nevent: task.failed\ndata: {}"])
def test_a_line_break_is_refused_wherever_it_is(field: int, forged: bytes) -> None:
    """Even where the number of lines comes out right in the end."""
    fields = [b"1-1", b"progress", b"{}"]
    fields[field] = forged
    with pytest.raises(ValueError, match="line break"):
        sse.SseCodec().entries([Entry(*fields), Entry(b"1-2", b"progress", b"{}")])


@given(IDS, IDS, st.integers(0, 2**64))
def test_notices_are_decoded_to_what_was_put_in(one: EventId, two: EventId, missing: int) -> None:
    """A gap leaves the cursor alone, a rewind sets it."""
    if missing < 2**64:
        (gap,) = decode(sse.SseCodec().notice(Gap(one, two, missing)))
        assert (gap.id, gap.event) == ("", "stream.gap")
        assert gap.json() == {"requested": str(one), "first_available": str(two), "missing": missing}
    (rewound,) = decode(sse.SseCodec().notice(Rewound(one, two)))
    assert (rewound.id, rewound.event) == (str(two), "stream.rewound")
    assert rewound.json() == {"requested": str(one), "last": str(two)}


def test_what_is_no_event_is_none_to_a_client() -> None:
    """Heartbeats, retries and farewells change nothing but the time to come back."""
    found = decode(sse.retry(1, 3) + sse.HEARTBEAT + sse.farewell("going away") + sse.HEARTBEAT)
    assert all(not event.data and not event.id for event in found)
    assert {1000 <= (event.retry or 1000) <= 10_000 for event in found} <= {True}


def test_retries_are_spread() -> None:
    """Clients that were cut off together don't come back together, and never outside the bounds."""
    times = [int(sse.retry(1, 3).removeprefix(b"retry: ")) for _ in range(300)]
    assert all(1000 <= time <= 3000 for time in times)
    assert len(set(times)) > 100
