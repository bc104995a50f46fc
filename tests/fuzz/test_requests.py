"""Cursors on their way through a real socket: any bytes in the header and the query, a right answer each."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from urllib.parse import quote_from_bytes, urlsplit

import pytest
from hypothesis import Phase, given
from hypothesis import settings as drawn
from hypothesis import strategies as st

from events.tasks import TaskStore
from tests.fuzz.hostile import BYTES, nearly_ids
from tests.support.logs import plant, seal
from tests.support.pods import RunningPod

ENTRIES = [(0, 1), (1, 2), (1, 3), (1, 4)]

NEARLY = nearly_ids().map(lambda text: text.encode("utf-8", "surrogatepass"))
IN_THE_LOG = st.builds("{}-{}".format, st.integers(0, 2), st.integers(0, 6)).map(str.encode)
CURSORS = NEARLY | IN_THE_LOG | BYTES.filter(lambda raw: len(raw) < 4000)
STARTS = st.sampled_from([b"now", b"-1", b"-20", b"-0", b"", b"NOW", b"--1", b"-1234567"]) | CURSORS

_CURSOR = re.compile(rb"(0|[1-9][0-9]*)-(0|[1-9][0-9]*)")
_FROM = re.compile(rb"now|-[1-9][0-9]{0,5}")
_ID = re.compile(rb"^id: (\d+)-(\d+)$", re.MULTILINE)

# Each example is a connection; a wish for the smallest one would cost hundreds more.
FEW = drawn(max_examples=250, phases=[Phase.generate])


def statuses_for(cursor: bytes) -> set[int]:
    """What may answer a cursor that isn't empty: docs/protocol.md, once more."""
    match = _CURSOR.fullmatch(cursor)
    if match is None or not all(len(part) < 21 and int(part) < 2**64 for part in match.groups()):
        return {400}
    return {204} if (int(match[1]), int(match[2])) == ENTRIES[-1] else {200}


def exchange(url: str, request: bytes) -> tuple[int, bytes]:
    """Status and body of the one answer to those bytes."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as plug:
        plug.sendall(request)
        found = b""
        while piece := plug.recv(65_536):
            found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), found[:200]
    assert found.count(b"HTTP/1.1 ") == 1, found[:500]
    return int(head.split()[1]), body


Get = Callable[[bytes, bytes], tuple[int, bytes]]
"""Asks for the stream with that query and those header lines."""


@pytest.fixture
async def get(pod: RunningPod, tasks: TaskStore, task_id: str) -> Get:
    """Asks for the stream of a task that has ended."""
    await plant(tasks.log, task_id, ["1-2", "1-3"])
    await seal(tasks, task_id, "1-4")

    def ask(query: bytes, lines: bytes) -> tuple[int, bytes]:
        target = f"/tasks/{task_id}/stream".encode() + query
        head = b"GET %b HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n%b\r\n" % (target, lines)
        return exchange(pod.url, head)

    return ask


async def test_a_header_is_a_cursor_or_refused(get: Get) -> None:
    """The white space around it isn't its own; with none the stream starts at the start."""

    @FEW
    @given(CURSORS.filter(lambda raw: not re.search(rb"[\r\n]", raw)))
    def check(raw: bytes) -> None:
        status, body = get(b"?last_event_id=1-2", b"Last-Event-ID: %b\r\n" % raw)
        cursor = raw.strip(b" \t") or b"1-2"  # an empty header is none, and the query counts
        # The parser leaves white space at the end: what's then no cursor is refused, which is safe.
        refused = {400} if raw.endswith((b"\t", b" ")) else set[int]()
        assert status in statuses_for(cursor) | refused, (raw, body)
        _is_after(cursor, status, body)

    await asyncio.to_thread(check)


async def test_a_query_is_a_cursor_or_refused(get: Get) -> None:
    """Percent-encoded, so with any byte in it; an empty one is none."""

    @FEW
    @given(CURSORS)
    def check(raw: bytes) -> None:
        status, body = get(b"?last_event_id=" + quote_from_bytes(raw, safe="").encode(), b"")
        assert status in (statuses_for(raw) if raw else {200}), (raw, body)
        _is_after(raw or b"0-0", status, body)

    await asyncio.to_thread(check)


async def test_a_start_is_one_of_two_kinds_or_refused(get: Get) -> None:
    """`now` and a number of events; all else is a 422."""

    @FEW
    @given(STARTS)
    def check(raw: bytes) -> None:
        status, body = get(b"?from=" + quote_from_bytes(raw, safe="").encode(), b"")
        expected = (204 if raw == b"now" else 200) if _FROM.fullmatch(raw) else 422
        assert status == expected, (raw, body)

    await asyncio.to_thread(check)


async def test_no_header_forges_an_answer(get: Get) -> None:
    """With line breaks in it, it's other headers, or the end of the request: one answer, and never a 5xx."""

    @FEW
    @given(CURSORS, CURSORS)
    def check(raw: bytes, other: bytes) -> None:
        status, _ = get(b"", b"Last-Event-ID: %b\r\nX-Request-ID: %b\r\n" % (raw, other))
        assert status in (200, 204, 400, 406, 408, 413, 417, 431, 501), (raw, other)

    await asyncio.to_thread(check)


def _is_after(cursor: bytes, status: int, body: bytes) -> None:
    """The stream tells what comes after the cursor, if the log holds that."""
    match = _CURSOR.fullmatch(cursor)
    if status != 200 or match is None:
        return
    after = (int(match[1]), int(match[2]))
    found = [(int(it[1]), int(it[2])) for it in _ID.finditer(body)]
    if after == (0, 0) or after in ENTRIES:
        assert found == [entry for entry in ENTRIES if entry > after], (cursor, body)
