"""Where a request ends: whatever leaves room for two opinions is refused, and nothing is smuggled in."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from api.edge.heads import MAX_BODY_BYTES
from api.edge.strict import MAX_WIRE_BYTES
from events.graphs import GraphDirectory
from events.keys import Keys
from tests.edge.test_heads import assert_refused
from tests.support.answers import parse, read_answer
from tests.support.http import ECHO
from tests.support.pods import RunningPod
from tests.support.sockets import begin
from tests.support.wire import exchange

HEAD = b"POST /tasks HTTP/1.1\r\nHost: pod\r\nContent-Type: application/json\r\n"
BODY = b'{"graph":"echo"}'
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
async def graphs(redis: Redis, keys: Keys) -> None:
    """One graph that some worker has announced, and no worker."""
    await GraphDirectory(redis, keys).announce([ECHO])


def chunks(*pieces: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """A body in chunks."""
    coded = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join([*coded, b"0\r\n", trailers, b"\r\n"])


TWO_READINGS = {
    "a length and chunks": b"Content-Length: 16\r\n" + CHUNKED + b"\r\n" + chunks(BODY),
    "chunks and a length": CHUNKED + b"Content-Length: 16\r\n\r\n" + chunks(BODY),
    "a length of nothing and chunks": b"Content-Length: 0\r\n" + CHUNKED + b"\r\n" + chunks(BODY),
    "two lengths": b"Content-Length: 16\r\nContent-Length: 0\r\n\r\n" + BODY,
    "the same length twice": b"Content-Length: 16\r\nContent-Length: 16\r\n\r\n" + BODY,
    "a list of lengths": b"Content-Length: 16, 16\r\n\r\n" + BODY,
    "a length with a sign": b"Content-Length: +16\r\n\r\n" + BODY,
    "a length below zero": b"Content-Length: -16\r\n\r\n" + BODY,
    "a hexadecimal length": b"Content-Length: 0x10\r\n\r\n" + BODY,
    "a length in two words": b"Content-Length: 1 6\r\n\r\n" + BODY,
    "an empty length": b"Content-Length: \r\n\r\n" + BODY,
    "a length beyond numbers": b"Content-Length: 99999999999999999999\r\n\r\n" + BODY,
    "a folded length": b"Content-Length:\r\n 16\r\n\r\n" + BODY,
    "a length before a space": b"Content-Length : 16\r\n\r\n" + BODY,
    "xchunked": b"Transfer-Encoding: xchunked\r\n\r\n" + chunks(BODY),
    "chunked, quoted": b'Transfer-Encoding: "chunked"\r\n\r\n' + chunks(BODY),
    "chunked after a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks(BODY),
    "chunked, folded": b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks(BODY),
    "chunked twice": CHUNKED + CHUNKED + b"\r\n" + chunks(BODY),
    "chunked twice in one": b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunks(BODY),
    "chunked before identity": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + chunks(BODY),
    "chunked after identity": b"Transfer-Encoding: identity\r\n" + CHUNKED + b"\r\n" + chunks(BODY),
    "gzip": b"Transfer-Encoding: gzip\r\n\r\n" + chunks(BODY),
    "gzip in chunks": b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(BODY),
    "no coding": b"Transfer-Encoding:\r\n\r\n" + chunks(BODY),
    "a length and another protocol": b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 16\r\n\r\n"
    + BODY,
    "chunks and another protocol": b"Connection: upgrade\r\nUpgrade: h2c\r\n"
    + CHUNKED
    + b"\r\n"
    + chunks(BODY),
}

BAD_CHUNKS = {
    "no size": b"zz\r\nx\r\n0\r\n\r\n",
    "a size below zero": b"-1\r\nx\r\n0\r\n\r\n",
    "a size with a prefix": b"0x1\r\nx\r\n0\r\n\r\n",
    "a size beyond numbers": b"f" * 17 + b"\r\nx\r\n0\r\n\r\n",
    "a space after the size": b"1 \r\nx\r\n0\r\n\r\n",
    "bare LF after the size": b"1\nx\n0\n\n",
    "bare LF in an extension": b"1;a\nb\r\nx\r\n0\r\n\r\n",
    "more than its size": b"1\r\nxyz\r\n0\r\n\r\n",
    "a length in the trailers": b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("name", TWO_READINGS)
async def test_two_readings_of_a_length_are_refused(pod: RunningPod, name: str) -> None:
    """The application never hears of it, and what follows is no request."""
    answers = parse(await exchange(pod, HEAD + TWO_READINGS[name] + SMUGGLED))
    assert_refused(answers, (400, "bad_request"))
    assert (await pod.client.get("/tasks")).json()["tasks"] == []


@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_bad_chunks_are_refused(pod: RunningPod, name: str) -> None:
    """They are found while the application waits for the rest."""
    answers = parse(await exchange(pod, HEAD + CHUNKED + b"\r\n" + BAD_CHUNKS[name] + SMUGGLED))
    assert_refused(answers, (400, "bad_request"))


async def test_chunks_need_http_1_1(pod: RunningPod) -> None:
    """HTTP/1.0 doesn't know them, so who is in between may not either."""
    request = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + b"\r\n" + chunks(BODY) + SMUGGLED
    assert_refused(parse(await exchange(pod, request)), (400, "bad_request"))


async def test_chunks_may_have_extensions_and_trailers_that_count_for_nothing(pod: RunningPod) -> None:
    """A trailer is no header: it neither replaces the request's id nor makes a key."""
    trailers = b"X-Request-ID: smuggled\r\nIdempotency-Key: \x7f\r\n"
    head = HEAD + CHUNKED + b"X-Request-ID: mine\r\nConnection: close\r\n\r\n"
    for trailer in (b"", trailers.replace(b"\x7f", b"")):
        body = chunks(BODY[:5], BODY[5:], extension=b";name=value", trailers=trailer)
        [answer] = parse(await exchange(pod, head + body))
        assert (answer.status, answer.one(b"x-request-id")) == (202, b"mine")


async def test_a_length_may_have_spaces_around(pod: RunningPod) -> None:
    """As RFC 9110 lets it."""
    request = HEAD + b"Content-Length: \t16 \r\nConnection: close\r\n\r\n" + BODY
    assert [answer.status for answer in parse(await exchange(pod, request))] == [202]


async def test_an_offer_of_another_protocol_is_passed_over(pod: RunningPod) -> None:
    """The answer is HTTP/1.1, and since what follows may not be, the connection closes."""
    for offer in (b"h2c", b"websocket"):
        head = b"GET /healthz HTTP/1.1\r\nHost: pod\r\nConnection: Upgrade\r\nUpgrade: " + offer + b"\r\n\r\n"
        [answer] = parse(await exchange(pod, head + SMUGGLED))
        assert (answer.status, answer.one(b"connection")) == (200, b"close")


async def test_a_body_that_announces_too_much_is_refused_at_once(pod: RunningPod) -> None:
    """Before any of it has come; who waits to be told to go on isn't."""
    announced = b"Content-Length: %d\r\n" % (MAX_BODY_BYTES + 1)
    for more in (b"", b"Expect: 100-continue\r\n"):
        assert_refused(parse(await exchange(pod, HEAD + announced + more + b"\r\n")), (413, "too_large"))


async def test_who_waits_to_be_told_to_go_on_is_told(pod: RunningPod) -> None:
    """`Expect: 100-continue` with a length that is all right."""
    client = await begin(pod.url, HEAD + b"Content-Length: 16\r\nExpect: 100-continue\r\n\r\n")
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.writer.write(BODY)
    assert (await read_answer(client)).status == 202
    await client.leave()


async def test_chunks_are_refused_as_soon_as_they_are_too_many(pod: RunningPod) -> None:
    """By what they hold, or by what they take on the wire; the client never ends its request."""
    full, hollow = b"8000\r\n" + b" " * 0x8000 + b"\r\n", b"1;" + b"a" * 0x8000 + b"\r\n \r\n"
    for piece, limit in ((full, MAX_BODY_BYTES), (hollow, MAX_WIRE_BYTES)):
        client = await begin(pod.url, HEAD + CHUNKED + b"\r\n")
        for _ in range(limit // 0x8000 + 20):
            client.writer.write(piece)
            await asyncio.sleep(0)
        assert_refused(parse(await client.rest()), (413, "too_large"))
        await client.leave()


async def test_the_rest_of_a_refused_body_is_passed_over(pod: RunningPod) -> None:
    """A request that is answered before its body has come leaves its connection as good as new."""
    head = HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: %d\r\n\r\n" % (64 * 1024)
    client = await begin(pod.url, head)
    assert (await read_answer(client)).code() == (415, "unsupported_media_type")
    client.writer.write(b"GET / HT" * 8 * 1024 + SMUGGLED)
    assert (await read_answer(client)).body == b'{"status":"alive"}'
    await client.leave()
