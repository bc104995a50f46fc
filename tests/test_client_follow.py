"""Following a stream from a server that follows a script, byte for byte."""

from __future__ import annotations

import asyncio
import time

import pytest

from cli.client import Client
from cli.failures import BadAnswer, Refused, Unreachable
from cli.wire import Notice
from tests.support.scripted import (
    END,
    QUICK,
    STREAM,
    TASK,
    Answer,
    chunked,
    followed,
    frame,
    hangs,
    history,
    notice,
    problem,
    says,
    scripted,
    sends,
    seqs,
    streams,
)
from tests.support.server import free_port
from tests.support.waiting import wait_until


async def test_a_cut_inside_a_frame_loses_and_doubles_nothing() -> None:
    """What had not arrived whole comes again, after the last event that had."""
    half = frame(2)[:30]
    async with scripted(streams(frame(1), half, end=False), streams(frame(2), END)) as script:
        events, notices = await followed(script)
    assert seqs(events) == [1, 2, 9]
    assert script.header("Last-Event-ID") == [None, "1-1"]
    assert [one.type for one in notices] == ["connection.lost", "connection.back"]
    assert notices[1].data["cursor"] == "1-1"


async def test_lines_may_end_in_any_way_and_chunks_anywhere() -> None:
    """CRLF, and a character of three bytes that comes in two chunks, one of them in two itself."""
    raw = frame(1, message="1 €").replace(b"\n", b"\r\n")
    at = raw.index("€".encode()) + 1
    pieces = [raw[:at], raw[at : at + 1], raw[at + 1 : -1], raw[-1:], END.replace(b"\n", b"\r")]
    async with scripted(streams(*pieces)) as script:
        events, notices = await followed(script)
    assert events[0]["data"] == {"message": "1 €"}
    assert seqs(events) == [1, 9]
    assert notices == []


@pytest.mark.alone
async def test_a_farewell_is_followed_by_the_wait_it_asks_for() -> None:
    """A draining pod answers 200, says when to come back and ends: no event is lost by that."""
    farewell = streams(frame(1), b"retry: 300\n\n", b": going away\n\n")
    async with scripted(farewell, streams(END)) as script:
        began = time.monotonic()
        events, notices = await followed(script)
    assert seqs(events) == [1, 9]
    assert 0.3 <= time.monotonic() - began < 5
    assert 0.3 <= notices[0].data["retry_in"] <= 0.375


async def test_204_means_that_all_is_seen() -> None:
    """The terminal event's id as the cursor: nothing follows, and that is no error."""
    async with scripted(says(204)) as script:
        assert await followed(script, "1-9") == ([], [])
    assert script.header("Last-Event-ID") == ["1-9"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_cursor"), (404, "task_not_found"), (410, "log_expired"), (401, "x")]
)
async def test_a_final_refusal_is_raised_in_one_line(status: int, code: str) -> None:
    """The pod's problem document becomes an exception; trying again is no use."""
    async with scripted(problem(status, code)) as script:
        with pytest.raises(Refused, match=f"^{code}: What to do.$") as caught:
            await followed(script)
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_a_gap_is_told_and_leaves_the_cursor_alone() -> None:
    """Events were lost: the reader hears how many, and reading goes on after them."""
    gap = notice("stream.gap", requested="1-1", first_available="1-5", missing=3)
    async with scripted(streams(frame(1), gap, end=False), streams(frame(5), END)) as script:
        events, notices = await followed(script)
    assert seqs(events) == [1, 5, 9]
    assert notices[0] == Notice("stream.gap", {"requested": "1-1", "first_available": "1-5", "missing": 3})
    assert script.header("Last-Event-ID") == [None, "1-1"]


async def test_a_rewound_log_puts_the_cursor_right() -> None:
    """The next connection must not come back with the cursor that was wrong."""
    rewound = notice("stream.rewound", "id: 1-2\n", requested="1-70", last="1-2")
    async with scripted(streams(rewound, end=False), streams(frame(3), END)) as script:
        events, notices = await followed(script, "1-70")
    assert seqs(events) == [3, 9]
    assert notices[0].type == "stream.rewound"
    assert script.header("Last-Event-ID") == ["1-70", "1-2"]


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_passing_refusal_is_waited_for(status: int) -> None:
    """The time is the server's."""
    async with scripted(problem(status, "busy", Retry_After="1"), streams(END)) as script:
        events, notices = await followed(script)
    assert seqs(events) == [9]
    assert 1 <= notices[0].data["retry_in"] <= 1.25
    assert notices[0].data["reason"] == "busy: What to do."


async def test_a_passing_refusal_that_does_not_pass_is_raised_in_the_end() -> None:
    """When patience is over, the last reason is what the caller hears."""
    async with scripted(problem(503, "draining", Retry_After="60"), says(204)) as script:
        with pytest.raises(Refused, match=r"^draining: "):
            await followed(script, patience=1)


@pytest.mark.alone
async def test_a_refused_connection_is_told_at_once() -> None:
    """Nobody has ever answered there, so it is a wrong URL rather than a restart."""
    url = f"http://127.0.0.1:{free_port()}"
    async with Client(url) as client:
        began = time.monotonic()
        with pytest.raises(Unreachable, match=rf"^cannot reach {url}: connection refused; .*TASKREEL_URL"):
            await anext(client.follow(TASK))
        with pytest.raises(Unreachable, match="connection refused"):
            await client.task(TASK)
        with pytest.raises(Unreachable, match="connection refused"):
            await anext(client.events(TASK))
    assert time.monotonic() - began < 3


async def test_a_pod_that_went_away_is_looked_for_until_patience_ends() -> None:
    """A restart takes a while; one that takes too long is an error."""
    async with scripted(streams(frame(1), end=False)) as script:
        with pytest.raises(Unreachable, match="connection refused"):
            await followed(script, patience=0.2)


async def test_the_next_pod_takes_over() -> None:
    """Of several URLs, one that refuses and one that breaks off are passed over without a long wait."""
    nobody = f"http://127.0.0.1:{free_port()}"
    async with scripted(streams(frame(1), end=False)) as one, scripted(streams(frame(2), END)) as other:
        urls = f"{nobody}, {one.url}/ ,{other.url}"
        notices: list[Notice] = []
        async with Client(urls) as client, client.follow(TASK, on_notice=notices.append) as events:
            assert seqs([event async for event in events]) == [1, 2, 9]
            assert events.cursor == "1-9"
    assert [told.data["url"] for told in notices] == [nobody, one.url, one.url, other.url]
    assert other.header("Last-Event-ID") == ["1-1"]


@pytest.mark.parametrize(
    "answer",
    [
        says(200, b"<html>", Content_Type="text/html"),
        says(301, Location="http://elsewhere/"),
        says(404, b"[]", Content_Type="application/json"),
        streams(b"data: {nonsense\n\n"),
        streams(b"data: [1]\n\n"),
    ],
)
async def test_what_is_no_pod_is_told_apart(answer: Answer) -> None:
    """A wrong URL often leads to something that answers."""
    async with scripted(answer, says(204)) as script:
        with pytest.raises(BadAnswer) as caught:
            await followed(script)
    assert "\n" not in str(caught.value)


async def test_silence_is_taken_for_death_and_heartbeats_are_not_silence() -> None:
    """A connection with beats lives longer than the read timeout; one without is made anew."""

    async def beats_then_falls_silent(writer: asyncio.StreamWriter) -> None:
        writer.writelines([STREAM, *chunked(QUICK, frame(1))])
        for _ in range(10):
            await asyncio.sleep(0.2)
            writer.writelines(chunked(b": hb\n\n"))
        writer.writelines(chunked(frame(2)))
        await wait_until(lambda: writer.is_closing() or len(script.requests) == 2)

    async with scripted(beats_then_falls_silent, history(), streams(END)) as script:
        events, notices = await followed(script, read_timeout=1)
    assert seqs(events) == [1, 2, 9]
    assert notices[0].data["reason"] == "nothing came in time"


async def test_what_a_proxy_keeps_back_is_read_from_history() -> None:
    """A stream that brings nothing, or not even its head, is a buffer on the way: history isn't held up."""
    kept = sends(STREAM), history(1, 2), hangs, history(3), streams(END)

    async def keeps_back(writer: asyncio.StreamWriter) -> None:
        await kept[0](writer)
        await hangs(writer)

    async with scripted(keeps_back, *kept[1:]) as script:
        events, notices = await followed(script, read_timeout=1, answer_timeout=1)
    assert seqs(events) == [1, 2, 3, 9]
    assert [b"/events" in request for request in script.requests] == [False, True, False, True, False]
    assert b"?after=1-2 " in script.requests[3]
    assert script.header("Last-Event-ID") == [None, None, "1-2", None, "1-3"]
    assert notices[0].data["reason"] == "nothing came in time"


async def test_history_that_holds_the_end_ends_it() -> None:
    """After the terminal event nothing is asked any more."""
    terminal = END.partition(b"data: ")[2]
    async with scripted(hangs, says(200, terminal, Content_Type="application/x-ndjson")) as script:
        events, _ = await followed(script, answer_timeout=1)
    assert seqs(events) == [9]


async def test_a_pod_that_never_answers_is_passed_over() -> None:
    """It accepts and hangs: the next one is asked for the history, then for the stream."""
    async with (
        scripted(hangs, hangs) as one,
        scripted(history(1), streams(END)) as other,
        Client([one.url, other.url], answer_timeout=1) as client,
        client.follow(TASK) as events,
    ):
        assert seqs([event async for event in events]) == [1, 9]
    assert len(one.requests) == 1


async def test_where_nobody_ever_answers_it_is_told_soon() -> None:
    """Not even history comes: no more patience than for a refused connection."""
    async with scripted(hangs, hangs) as script:
        with pytest.raises(Unreachable, match="nothing came in time"):
            await followed(script, answer_timeout=1)
