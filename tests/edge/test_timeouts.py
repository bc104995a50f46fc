"""Clients that dawdle: each part of a request has its time, and a stream has all the time there is."""

from __future__ import annotations

import asyncio

import pytest

from api.edge.admission import Admission
from api.edge.timeouts import Timeouts
from events.log import EventLog
from tests.edge.test_framing import BODY, CHUNKED, HEAD
from tests.edge.test_heads import assert_refused
from tests.support.answers import parse, read_answer
from tests.support.logs import plant
from tests.support.pods import RunningPod
from tests.support.sockets import Socket, begin
from tests.support.waiting import wait_until

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: pod\r\n\r\n"
TIMEOUT = (408, "request_timeout")


async def dribble(client: Socket, piece: bytes = b"a") -> bytes:
    """Send that again and again, much more often than any limit, until the pod closes; gives its answer."""
    answer = asyncio.create_task(client.rest())
    while not answer.done():
        client.writer.write(piece)
        await asyncio.sleep(0.02)
    await client.leave()
    return answer.result()


async def a_timeout(pod: RunningPod) -> None:
    """Return when a connection that has come just now has run out of the time for a head."""
    client = await begin(pod.url, REQUEST[:-2])
    assert_refused(parse(await client.rest()), TIMEOUT)
    await client.leave()


async def test_a_head_that_dribbles_in_is_cut_short(hasty: RunningPod) -> None:
    """A byte now and then doesn't keep a connection (Slowloris)."""
    client = await begin(hasty.url, REQUEST[:-2] + b"X-Slow: ")
    assert_refused(parse(await dribble(client)), TIMEOUT)


async def test_a_head_that_stops_is_cut_short(hasty: RunningPod) -> None:
    """Wherever it stops."""
    clients = [await begin(hasty.url, REQUEST[:length]) for length in (1, 10, 22, 30, len(REQUEST) - 1)]
    for client in clients:
        assert_refused(parse(await client.rest()), TIMEOUT)
        await client.leave()


async def test_who_says_nothing_hears_nothing(hasty: RunningPod) -> None:
    """Browsers open connections in advance, and would take an answer for that to their next request."""
    client = await begin(hasty.url)
    assert await client.rest() == b""
    await client.leave()


async def test_empty_lines_are_nothing(hasty: RunningPod) -> None:
    """The parser passes them over, the clock doesn't; not between two requests either."""
    client = await begin(hasty.url)
    assert await dribble(client, b"\r\n") == b""
    client = await begin(hasty.url, REQUEST)
    assert (await read_answer(client)).status == 200
    assert await dribble(client, b"\r\n") == b""


async def test_a_connection_may_rest_between_requests(hasty: RunningPod) -> None:
    """For longer than a head may take; the next request has its own time."""
    client = await begin(hasty.url, REQUEST)
    assert (await read_answer(client)).status == 200
    await a_timeout(hasty)
    client.writer.write(REQUEST)
    assert (await read_answer(client)).status == 200
    client.writer.write(REQUEST[:-2] + b"X-Slow: ")
    assert_refused(parse(await dribble(client)), TIMEOUT)


async def test_a_head_behind_a_whole_request_has_its_time(hasty: RunningPod) -> None:
    """Both come at once: one answer, and then the refusal."""
    client = await begin(hasty.url, REQUEST + REQUEST[:-2])
    answers = parse(await client.rest())
    await client.leave()
    assert answers[0].status == 200
    assert_refused(answers[1:], TIMEOUT)


@pytest.mark.parametrize(
    ("framing", "piece"),
    [(b"Content-Length: 1000000\r\n", b" "), (CHUNKED, b"1\r\n \r\n"), (CHUNKED, b"")],
    ids=["by length", "in chunks", "nothing"],
)
async def test_a_body_that_dribbles_in_is_cut_short(
    hasty: RunningPod, framing: bytes, piece: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The application, which waits for it, is let go, and nobody calls that an error."""
    client = await begin(hasty.url, HEAD + framing + b"\r\n")
    assert_refused(parse(await dribble(client, piece)), TIMEOUT)
    assert not caplog.records


async def test_a_body_that_nobody_waits_for_has_its_time_as_well(hasty: RunningPod) -> None:
    """The answer has been given, so there's nothing more to say."""
    head = HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: 1000000\r\n\r\n"
    client = await begin(hasty.url, head)
    assert (await read_answer(client)).code() == (415, "unsupported_media_type")
    assert await dribble(client, b" ") == b""


async def test_a_body_in_time_is_taken(hasty: RunningPod) -> None:
    """It comes after its head, in two pieces, and the connection goes on."""
    client = await begin(hasty.url, HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY))
    for part in (BODY[:5], BODY[5:]):
        await asyncio.sleep(0.01)
        client.writer.write(part)
    assert (await read_answer(client)).code() == (404, "graph_not_found")
    await client.leave()


async def test_a_stream_has_all_the_time_there_is(
    hasty: RunningPod, admission: Admission, log: EventLog, task_id: str
) -> None:
    """No clock runs for it, though its client owes the body that it announced."""
    head = f"GET /tasks/{task_id}/stream HTTP/1.1\r\nHost: pod\r\nContent-Length: 5\r\n\r\n"
    client = await begin(hasty.url, head.encode())
    await client.until(b"id: 0-1\n")
    assert [len(it) for it in (admission.heads, admission.bodies, admission.lingering)] == [0, 0, 0]
    await a_timeout(hasty)
    await plant(log, task_id, ["1-2"])
    await client.until(b"id: 1-2\n")
    await client.leave()


async def test_who_was_refused_and_stays_is_cut_off(hasty: RunningPod, admission: Admission) -> None:
    """A moment to read why, and then the place is free again, whatever the client does."""
    client = await begin(hasty.url, b"nonsense\r\n")
    assert_refused(parse(await client.rest()), (400, "bad_request"))
    assert len(admission.lingering) == 1
    with pytest.raises(ConnectionError):
        await _talk_on(client)
    assert len(admission.lingering) == 0
    await client.leave()


async def _talk_on(client: Socket) -> None:
    while True:
        client.writer.write(b"more")
        await client.writer.drain()
        await asyncio.sleep(0.02)


async def test_nobody_is_kept_who_has_gone(hasty: RunningPod, admission: Admission) -> None:
    """Whichever clock ran."""
    clients = [
        await begin(hasty.url, begun)
        for begun in (b"", b"GET", REQUEST, HEAD + CHUNKED + b"\r\n", b"nonsense\r\n")
    ]
    await read_answer(clients[2])
    clocks = (admission.heads, admission.bodies, admission.lingering)
    await wait_until(lambda: len(admission.bodies) == 1 and len(admission.lingering) == 1)
    for client in clients:
        await client.leave()
    await wait_until(lambda: not any(len(clock) for clock in clocks))


async def test_a_thousand_deadlines_have_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are up in the order they began in; one that is stopped isn't; beginning again changes nothing."""
    loop, timers = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later
    expired = list[int]()
    timeouts = Timeouts[int](0.2, expired.append)

    def counted(delay: float, *rest: object) -> asyncio.TimerHandle:
        timers.append(delay)
        return call_later(delay, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_later", counted)
    for number in range(1000):
        timeouts.start(number)
    for number in range(0, 1000, 2):
        timeouts.stop(number)
    timeouts.start(1)
    assert len(timers) == 1
    monkeypatch.undo()
    await wait_until(lambda: not len(timeouts))
    assert expired == list(range(1, 1000, 2))
    timeouts.start(7)
    await wait_until(lambda: expired[-1] == 7)
