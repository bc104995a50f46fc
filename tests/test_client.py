"""The client against a server that follows a script, byte for byte, and against real pods."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from cli.backoff import LONGEST_SECONDS, Backoff
from cli.client import Client
from cli.failures import BadAnswer, ClientError, InvalidRequest, Refused, Unreachable
from cli.wire import Event, Notice
from events.keys import Keys
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.pods import RunningPod, running_worker
from tests.support.server import free_port
from tests.support.waiting import wait_until

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

QUICK = b"retry: 1\n\n"
TASK = "0190b5a0-0000-7000-8000-000000000001"


def _head(status: int, fields: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Scripted\r\nConnection: close\r\n{lines}\r\n".encode()


STREAM = _head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


class Scripted:
    """A server that gives one canned answer a connection, and refuses when there are no more.

    Attributes:
        requests: the bytes of each request.
    """

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self.server: asyncio.Server | None = None
        self._answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's only request."""
        head = await reader.readuntil(b"\r\n\r\n")
        size = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        self.requests.append(head + await reader.readexactly(size[0] if size else 0))
        answer = self._answers.pop(0)
        if not self._answers and self.server:
            self.server.close()
        try:
            await answer(writer)
        finally:
            writer.close()

    def header(self, name: str) -> list[str | None]:
        """What each request had in a header."""
        lines = [request.decode().lower().split("\r\n") for request in self.requests]
        start = name.lower() + ": "
        return [next((line[len(start) :] for line in one if line.startswith(start)), None) for one in lines]


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncGenerator[Scripted]:
    """A scripted server on a free port."""
    script = Scripted(answers)
    script.server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{script.server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        script.server.close()


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A complete answer."""
    fields = {"Content-Length": str(len(body)), **{key.replace("_", "-"): headers[key] for key in headers}}
    return sends(_head(status, fields) + body)


def sends(*pieces: bytes, cut: bool = False) -> Answer:
    """Raw bytes, then the end: an orderly one, or a cut."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.writelines(pieces)
        await writer.drain()
        if cut:
            writer.transport.abort()

    return answer


def streams(*chunks: bytes, end: bool = True) -> Answer:
    """An event stream in such chunks; without its end the connection is closed before the last chunk."""
    return sends(STREAM, *chunked(QUICK, *chunks), b"0\r\n\r\n" if end else b"")


def chunked(*chunks: bytes) -> list[bytes]:
    """Bytes as HTTP's chunks."""
    return [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]


def problem(status: int, code: str, **headers: str) -> Answer:
    """A problem document."""
    body = json.dumps({"status": status, "code": code, "detail": "What\nto do."}).encode()
    return says(status, body, Content_Type="application/problem+json", **headers)


def frame(seq: int, kind: str = "progress", **data: Any) -> bytes:
    """An event of attempt 1 as a pod sends it."""
    event = {"seq": seq, "attempt": 1, "type": kind, "ts": "2026-11-21T00:00:00.000Z", "data": data}
    return f"id: 1-{seq}\nevent: {kind}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def notice(kind: str, field: str = "", **data: Any) -> bytes:
    """A frame that is no event."""
    return f"{field}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


END = frame(9, "task.succeeded", result=1)


async def followed(
    script: Scripted, after: str | None = None, **options: Any
) -> tuple[list[Event], list[Notice]]:
    """All that a follower of the scripted task gets."""
    notices: list[Notice] = []
    async with (
        Client(script.url, **options) as client,
        client.follow(TASK, after, on_notice=notices.append) as events,
    ):
        return [event async for event in events], notices


def seqs(events: list[Event]) -> list[int]:
    """The events' numbers."""
    return [event["seq"] for event in events]


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
            await asyncio.sleep(0.05)
            writer.writelines(chunked(b": hb\n\n"))
        writer.writelines(chunked(frame(2)))
        await wait_until(lambda: writer.is_closing() or len(script.requests) == 2)

    async with scripted(beats_then_falls_silent, streams(END)) as script:
        events, notices = await followed(script, read_timeout=0.3)
    assert seqs(events) == [1, 2, 9]
    assert notices[0].data["reason"] == "nothing came in time"


async def test_history_goes_on_after_a_cut_inside_a_line() -> None:
    """NDJSON has no ids beside the events; the cursor is made from what they say."""
    kind = {"Content-Type": "application/x-ndjson", "Content-Length": "9999"}
    one, two = (json.dumps({"attempt": 1, "seq": seq, "x": "a\u2028b"}, ensure_ascii=False) for seq in (1, 2))
    first = sends(_head(200, kind) + f"{one}\n{two[:9]}".encode())
    kind["Content-Length"] = str(len(two.encode()) + 1)
    async with (
        scripted(first, sends(_head(200, kind), f"{two}\n".encode())) as script,
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


@pytest.fixture
async def system(pod: RunningPod, settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod, and a worker that has announced the test graphs."""
    async with running_worker(settings, SPECS):
        yield pod


async def test_a_real_task_from_submission_to_its_end(system: RunningPod) -> None:
    """What is followed live is what history has, and what the task's state says."""
    async with Client(system.url) as client:
        task = await client.submit("counting", {"count": 3}, metadata={"for": "me"})
        async with client.follow(task["task_id"]) as events:
            live = [event async for event in events]
        assert [event async for event in client.events(task["task_id"])] == live
        progress = [event async for event in client.events(task["task_id"], "1-3", types=["progress"])]
        state = await client.task(task["task_id"])
        listed = [one["task_id"] async for one in client.tasks(graph="counting")]
    assert seqs(live) == list(range(1, len(live) + 1))
    assert [event["data"]["current"] for event in progress] == [1, 2, 3]
    assert (state["status"], state["result"], state["metadata"]) == (
        "succeeded",
        live[-1]["data"]["result"],
        {"for": "me"},
    )
    assert listed == [task["task_id"]]


async def test_a_draining_pod_hands_its_reader_over(
    system: RunningPod, other_pod: RunningPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mid-run the first pod says farewell; the second goes on with the very next event."""

    def soon(_shortest: float, _longest: float) -> bytes:
        return b"retry: 20\n\n"

    monkeypatch.setattr("api.sse.retry", soon)
    notices: list[Notice] = []
    async with Client([system.url, other_pod.url]) as client:
        task = await client.submit("counting", {"count": 40, "pause": 0.02})
        found: list[Event] = []
        async with client.follow(task["task_id"], on_notice=notices.append) as events:
            async for event in events:
                found.append(event)
                if len(found) == 10:
                    system.pod.streams.drain()
    assert seqs(found) == list(range(1, len(found) + 1))
    assert [one.data["url"] for one in notices] == [system.url, other_pod.url]


async def test_real_gaps_and_rewinds_are_told(system: RunningPod, redis: Redis, keys: Keys) -> None:
    """An entry that Redis has lost, and a cursor from before a roll-back."""
    notices: list[Notice] = []
    async with Client(system.url) as client:
        lossy = await system.submit("counting", input={"count": 5})
        await system.stream(lossy)
        await redis.xdel(keys.log(lossy), "1-5", "1-6")
        async with client.follow(lossy, "1-4", on_notice=notices.append) as events:
            assert seqs([event async for event in events])[0] == 7
        waiting = await system.submit("asking")
        await wait_until(lambda: _is_waiting(client, waiting))
        last = (await client.task(waiting))["last_event_id"]
        async with client.follow(waiting, "1-999", on_notice=notices.append) as events:
            reading = asyncio.ensure_future(anext(events))
            await wait_until(lambda: events.cursor == last)
            reading.cancel()
            await asyncio.wait([reading])
    assert [one.type for one in notices] == ["stream.gap", "stream.rewound"]
    assert notices[0].data == {"requested": "1-4", "first_available": "1-7", "missing": 2}


async def _is_waiting(client: Client, task_id: str) -> bool:
    return (await client.task(task_id))["status"] == "waiting"


@pytest.mark.parametrize(
    ("after", "code"), [(None, "task_not_found"), ("99999999999999999999-1", "invalid_cursor")]
)
async def test_real_refusals_are_client_errors(pod: RunningPod, after: str | None, code: str) -> None:
    """The codes are the contract's."""
    async with Client(pod.url) as client:
        with pytest.raises(ClientError, match=f"^{code}: "):
            await anext(client.follow(TASK, after))
