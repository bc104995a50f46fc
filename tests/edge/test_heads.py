"""The heads of requests: in pieces, too large, and such as no client should send."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.answers import POLICY, Answer, parse, read_answer
from tests.support.pods import RunningPod
from tests.support.sockets import begin
from tests.support.wire import exchange

KIB = 1024
LIMIT = 32 * KIB
HOST = b"Host: pod\r\n"
CLOSE = b"Connection: close\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + CLOSE

MALFORMED = {
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: pod\r\nX-CANARY: a\x00b\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: pod\r\nX-CAN\x00ARY: a\r\n\r\n",
    "NUL in the target": b"GET /CANARY\x00 HTTP/1.1\r\nHost: pod\r\n\r\n",
    "CR in a value": b"GET / HTTP/1.1\r\nHost: pod\r\nX-A: CANARY\rX-B: b\r\n\r\n",
    "a control character in a value": b"GET / HTTP/1.1\r\nHost: pod\r\nX-A: CANARY\x01\r\n\r\n",
    "bare LF between headers": b"GET / HTTP/1.1\r\nHost: pod\r\nX-A: CANARY\nX-B: b\r\n\r\n",
    "bare LF everywhere": b"GET /CANARY HTTP/1.1\nHost: pod\n\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: pod\r\nX-A: CANARY\r\n\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: pod\r\nX-A: CANARY\r\n b\r\n\r\n",
    "a fold before any header": b"GET / HTTP/1.1\r\n Host: CANARY\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: pod\r\nX-CANARY : a\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: pod\r\n: CANARY\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: pod\r\nCANARY\r\n\r\n",
    "a header's name with a bracket": b"GET / HTTP/1.1\r\nHost: pod\r\nX-(CANARY: a\r\n\r\n",
    "a header's name beyond ASCII": b"GET / HTTP/1.1\r\nHost: pod\r\nX-\xffCANARY: a\r\n\r\n",
    "a method that isn't one": b"CANARY / HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a method in lower case": b"get /CANARY HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target beyond ASCII": b"GET /CANARY\xff HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target with a space": b"GET /CANARY b HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target with a fragment": b"GET /healthz#CANARY HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target that is a URL": b"GET http://CANARY/healthz HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target that is an authority": b"CONNECT CANARY:443 HTTP/1.1\r\nHost: pod\r\n\r\n",
    "a target that is an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    "HTTP/0.9, in full": b"GET /CANARY HTTP/0.9\r\n\r\n",
    "HTTP/0.9": b"GET /CANARY\r\n\r\n",
    "HTTP/1.2": b"GET /CANARY HTTP/1.2\r\nHost: pod\r\n\r\n",
    "HTTP/2.0": b"GET /CANARY HTTP/2.0\r\nHost: pod\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03CANARY" + b"\x00" * 500,
    "another protocol": b"EHLO CANARY\r\n",
    "no Host": b"GET /CANARY HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: pod\r\nhost: CANARY\r\n\r\n",
}


def assert_refused(answers: list[Answer], expected: tuple[int, str]) -> None:
    """One answer, with the problem, and that the connection closes."""
    assert [answer.code() for answer in answers] == [expected]
    assert answers[0].one(b"connection") == b"close"
    assert answers[0].one(b"content-security-policy") == POLICY
    assert answers[0].one(b"date")
    assert b"CANARY" not in answers[0].body + b"".join(value for _, value in answers[0].headers)


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_is_told_so(pod: RunningPod, name: str) -> None:
    """400, as a problem document like any other, and the connection closes."""
    assert_refused(parse(await exchange(pod, MALFORMED[name])), (400, "bad_request"))


async def test_a_request_may_come_byte_by_byte(pod: RunningPod) -> None:
    """Wherever a segment ends, the request is the same."""
    request = b"GET /tasks/none HTTP/1.1\r\nHost: pod\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n"
    client = await begin(pod.url)
    for byte in request:
        client.writer.write(bytes([byte]))
        await asyncio.sleep(0)
    [answer] = parse(await client.rest())
    await client.leave()
    assert answer.code() == (404, "task_not_found")
    assert answer.one(b"x-request-id") == b"mine"


@pytest.mark.parametrize("cut", [1, 5, 17, 23, 30, 40])
async def test_what_is_no_request_is_no_request_in_pieces_either(pod: RunningPod, cut: int) -> None:
    """A NUL is found wherever a segment ends."""
    client = await begin(pod.url, MALFORMED["NUL in a value"][:cut])
    await client.writer.drain()
    client.writer.write(MALFORMED["NUL in a value"][cut:])
    answers = parse(await client.rest())
    await client.leave()
    assert_refused(answers, (400, "bad_request"))


def padded(size: int, fields: int = 1) -> bytes:
    """A whole head whose request line and headers, as the pod counts them, have exactly that size."""
    pads = [b"X-%03d: " % number for number in range(fields)]
    known = len(b"/healthz") + sum(len(line) for line in (HOST, CLOSE)) + sum(len(pad) + 2 for pad in pads)
    each, more = divmod(size - known, fields)
    values = [b"a" * (each + (more if number == 0 else 0)) for number in range(fields)]
    return HEALTH + b"".join(pad + value + b"\r\n" for pad, value in zip(pads, values, strict=True)) + b"\r\n"


@pytest.mark.parametrize("fields", [1, 90])
async def test_a_head_has_at_most_32_kib(pod: RunningPod, fields: int) -> None:
    """A byte more is refused, in one header or in many."""
    [answer] = parse(await exchange(pod, padded(LIMIT, fields)))
    assert answer.status == 200
    assert_refused(parse(await exchange(pod, padded(LIMIT + 1, fields))), (431, "headers_too_large"))


async def test_a_request_line_counts(pod: RunningPod) -> None:
    """A path or a query of 32 KiB is as much as a header of that size."""
    for line in (b"/" + b"a" * LIMIT, b"/healthz?" + b"a" * LIMIT):
        request = b"GET " + line + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        assert_refused(parse(await exchange(pod, request)), (431, "headers_too_large"))


async def test_a_head_has_at_most_100_fields(pod: RunningPod) -> None:
    """Host and Connection among them."""
    more = [b"X-%d: a\r\n" % number for number in range(99)]
    [answer] = parse(await exchange(pod, HEALTH + b"".join(more[:98]) + b"\r\n"))
    assert answer.status == 200
    answers = parse(await exchange(pod, HEALTH + b"".join(more) + b"\r\n"))
    assert_refused(answers, (431, "headers_too_large"))


@pytest.mark.parametrize(
    "flood",
    [b"X-CANARY: a\r\n" * 100_000, b"X-CANARY: " + b"a" * 10 * KIB * KIB, b"a" * 10 * KIB * KIB],
    ids=["100,000 headers", "a header of 10 MiB", "a header's name of 10 MiB"],
)
async def test_a_flood_is_refused_before_it_has_come(pod: RunningPod, flood: bytes) -> None:
    """The answer comes while the client is still sending, and the client can read it."""
    client = await begin(pod.url, HEALTH + flood)
    answers = parse(await client.rest())
    await client.leave()
    assert_refused(answers, (431, "headers_too_large"))
    assert (await pod.client.get("/healthz")).status_code == 200


async def test_a_head_that_dribbles_in_is_counted_whole(pod: RunningPod) -> None:
    """A header that never ends is refused at 32 KiB, though the parser has handed none of it on."""
    client = await begin(pod.url, HEALTH + b"X-Long: ")
    for _ in range(LIMIT // KIB):
        await asyncio.sleep(0.001)
        client.writer.write(b"a" * KIB)
    answers = parse(await client.rest())
    await client.leave()
    assert_refused(answers, (431, "headers_too_large"))


async def test_each_request_of_a_connection_is_counted_anew(pod: RunningPod) -> None:
    """A hundred times a few hundred bytes, one after the other, are a hundred small requests."""
    request = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Pad: " + b"a" * KIB + b"\r\n\r\n"
    client = await begin(pod.url)
    for _ in range(2 * LIMIT // KIB):
        client.writer.write(request)
        assert (await read_answer(client)).status == 200
    await client.leave()


async def test_http_1_0_is_answered(pod: RunningPod) -> None:
    """It needs no Host, and its connection closes."""
    [answer] = parse(await exchange(pod, b"GET /healthz HTTP/1.0\r\n\r\n"))
    assert (answer.status, answer.one(b"connection")) == (200, b"close")


async def test_a_head_request_is_refused_without_a_body(pod: RunningPod) -> None:
    """Its client reads none."""
    raw = await exchange(pod, b"HEAD / HTTP/1.1\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\r\n\r\n") == 1


async def test_a_hostile_request_id_is_not_repeated_in_a_refusal(pod: RunningPod) -> None:
    """The client's own is, if it's a plain word and had come by then."""
    for given, kept in ((b"mine", True), (b"a b", False), (b"x" * 65, False), (b"<b>", False)):
        request = b"GET / HTTP/1.1\r\nX-Request-ID: " + given + b"\r\nHost: a\r\nHost: b\r\n\r\n"
        [answer] = parse(await exchange(pod, request))
        assert answer.code() == (400, "bad_request")
        assert (answer.one(b"x-request-id") == given) is kept
