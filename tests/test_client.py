"""What the client asks besides streams, from a server that follows a script, byte for byte."""

from __future__ import annotations

import json

import pytest

from cli.backoff import LONGEST_SECONDS, Backoff
from cli.client import Client
from cli.failures import InvalidRequest
from tests.support.scripted import (
    TASK,
    head,
    says,
    scripted,
    sends,
    seqs,
)


async def test_history_goes_on_after_a_cut_inside_a_line() -> None:
    """NDJSON has no ids beside the events; the cursor is made from what they say."""
    kind = {"Content-Type": "application/x-ndjson", "Content-Length": "9999"}
    one, two = (json.dumps({"attempt": 1, "seq": seq, "x": "a\u2028b"}, ensure_ascii=False) for seq in (1, 2))
    first = sends(head(200, kind) + f"{one}\n{two[:9]}".encode())
    kind["Content-Length"] = str(len(two.encode()) + 1)
    async with (
        scripted(first, sends(head(200, kind), f"{two}\n".encode())) as script,
        Client(script.url) as client,
    ):
        events = [event async for event in client.events(TASK, types=["progress"], attempts="final")]
    assert seqs(events) == [1, 2]
    assert events[0]["x"] == "a\u2028b"
    assert b"/events?attempts=final&types=progress&after=1-1 " in script.requests[1]


async def test_a_submission_may_be_sent_twice() -> None:
    """Its answer may be lost, so it always bears a key; the second pod gives the task of the first."""
    accepted = says(202, b'{"task_id": "x"}', Content_Type="application/json")
    async with (
        scripted(sends(cut=True)) as one,
        scripted(accepted) as other,
        Client([one.url, other.url]) as client,
    ):
        assert await client.submit("g", {"a": 1}, thread_id="t", metadata={"m": 1}) == {"task_id": "x"}
    assert one.header("Idempotency-Key") == other.header("Idempotency-Key") != [None]
    body = other.requests[0].partition(b"\r\n\r\n")[2]
    assert json.loads(body) == {"graph": "g", "input": {"a": 1}, "thread_id": "t", "metadata": {"m": 1}}


async def test_tasks_are_listed_page_after_page_up_to_the_limit() -> None:
    """The pod's cursor is passed on as it is, and no page is larger than what is still wanted."""
    pages = [{"tasks": [{"n": 1}, {"n": 2}], "next": "c="}, {"tasks": [{"n": 3}], "next": "more"}]
    answers = [says(200, json.dumps(page).encode(), Content_Type="application/json") for page in pages]
    async with scripted(*answers) as script, Client(script.url) as client:
        found = [task["n"] async for task in client.tasks(status="failed", limit=3)]
    assert found == [1, 2, 3]
    assert b"GET /tasks?status=failed&limit=3 " in script.requests[0]
    assert b"GET /tasks?status=failed&cursor=c%3D&limit=1 " in script.requests[1]


@pytest.mark.parametrize(
    "urls", ["", " , ", "localhost:8000", "ftp://x", "http://", "http://a:b", [], "http://a?b"]
)
def test_wrong_urls_are_refused(urls: str) -> None:
    """The message says what a URL looks like."""
    with pytest.raises(InvalidRequest, match="http://"):
        Client(urls)


async def test_what_cannot_be_sent_is_refused() -> None:
    """A cursor with a line break in it, an input that JSON can't hold."""
    async with Client("http://127.0.0.1:1") as client:
        for cursor in ("1-2\r\nX: y", "é-1", "x"):
            with pytest.raises(InvalidRequest, match="invalid_cursor"):
                client.follow(TASK, cursor)
        with pytest.raises(InvalidRequest, match="invalid_json"):
            await client.submit("g", {"a": object()})


def test_waits_grow_after_each_round_and_never_fall_short() -> None:
    """With two pods every second wait is a short one; the others double up to a bound."""
    backoff = Backoff(2)
    waits = [backoff.fail() for _ in range(20)]
    assert all(wait <= 0.5 for wait in waits[::2])
    assert all(2**n <= wait <= 1.5 * 2**n for n, wait in enumerate(waits[1:10:2]))
    assert waits[-1] <= 1.5 * LONGEST_SECONDS
    assert 7 <= backoff.fail(7) <= 8.75
