"""Requests that come at once on one connection: each has its answer, in order, and few of them wait."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from api.edge.admission import Admission, AdmittedProtocol
from api.edge.protocol import MAX_PIPELINED
from events.graphs import GraphDirectory
from events.keys import Keys
from events.settings import Settings
from tests.edge.conftest import PLACES
from tests.edge.test_framing import BAD_CHUNKS, BODY, CHUNKED, HEAD, SMUGGLED
from tests.support.answers import Answer, parse
from tests.support.http import ECHO
from tests.support.pods import RunningPod, running_pod
from tests.support.sockets import begin
from tests.support.waiting import wait_until
from tests.support.wire import exchange


def numbered(number: int, more: bytes = b"") -> bytes:
    """A request that is told from others by its id."""
    return b"GET /healthz HTTP/1.1\r\nHost: pod\r\nX-Request-ID: n%d\r\n%b\r\n" % (number, more)


def request_ids(answers: list[Answer]) -> list[bytes]:
    """Of answers, in order."""
    return [answer.one(b"x-request-id") for answer in answers]


async def test_requests_at_once_are_answered_in_order(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """A body in between as well."""
    await GraphDirectory(redis, keys).announce([ECHO])
    count = 10
    requests = [numbered(number) for number in range(count)]
    requests.insert(5, HEAD + b"X-Request-ID: body\r\nContent-Length: 16\r\n\r\n" + BODY)
    answers = parse(await exchange(pod, b"".join(requests) + numbered(count, b"Connection: close\r\n")))
    assert request_ids(answers) == [
        *(b"n%d" % number for number in range(5)),
        b"body",
        *(b"n%d" % number for number in range(5, count + 1)),
    ]
    assert {answer.status for answer in answers} == {200, 202}


async def test_what_follows_the_last_request_counts_for_nothing(pod: RunningPod) -> None:
    """After `Connection: close` neither another request nor nonsense gets an answer."""
    for more in (SMUGGLED, b"nonsense"):
        answers = parse(await exchange(pod, numbered(1) + numbered(2, b"Connection: close\r\n") + more))
        assert request_ids(answers) == [b"n1", b"n2"]


async def test_nonsense_after_a_request_is_answered_after_it(pod: RunningPod) -> None:
    """Each answer belongs to its request: the refusal isn't taken for the first one's."""
    for more in (b"nonsense\r\n", numbered(3).replace(b"Host", b"Ghost")):
        answers = parse(await exchange(pod, numbered(1) + numbered(2) + more))
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert request_ids(answers)[:2] == [b"n1", b"n2"]


async def test_a_bad_body_is_refused_when_its_turn_has_come(pod: RunningPod) -> None:
    """The request waits behind another one, and its body breaks off into nonsense."""
    answers = parse(await exchange(pod, numbered(1) + HEAD + CHUNKED + b"\r\n" + BAD_CHUNKS["no size"]))
    assert [answer.status for answer in answers] == [200, 400]
    assert answers[1].code() == (400, "bad_request")


async def test_only_so_many_requests_wait(pod: RunningPod) -> None:
    """The last one taken says that the connection closes, so its client sends the others again."""
    answers = parse(await exchange(pod, b"".join(numbered(number) for number in range(100))))
    assert len(answers) == MAX_PIPELINED + 1
    assert request_ids(answers) == [b"n%d" % number for number in range(MAX_PIPELINED + 1)]
    assert [answer.all(b"connection") for answer in answers] == [[]] * MAX_PIPELINED + [[b"close"]]


class Noting(Admission):
    """Remembers whom it has admitted."""

    def __init__(self) -> None:
        super().__init__(PLACES)
        self.seen: list[AdmittedProtocol] = []

    def waits(self, protocol: AdmittedProtocol) -> None:
        """Note who comes."""
        self.seen.append(protocol)
        super().waits(protocol)


async def test_what_waits_is_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a client sends while its first request is being answered, no more of it is kept."""
    admission, go_on = Noting(), asyncio.Event()
    async with running_pod(settings, admission=admission) as pod:
        monkeypatch.setattr(pod.pod, "check_ready", go_on.wait)
        ready = numbered(0).replace(b"/healthz", b"/readyz")
        client = await begin(pod.url, ready + b"".join(numbered(number) for number in range(1, 200)))
        await wait_until(lambda: admission.seen[0].parser is None)
        assert len(admission.seen[0].pipeline) == MAX_PIPELINED
        go_on.set()
        assert len(parse(await client.rest())) == MAX_PIPELINED + 1
        await client.leave()


async def test_a_request_behind_a_stream_leaves_it_alone(
    pod: RunningPod, task_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream is the last answer of its connection, and it goes on."""
    stream = b"GET /tasks/%b/stream HTTP/1.1\r\nHost: pod\r\n\r\n" % task_id.encode()
    client = await begin(pod.url, stream + numbered(1))
    await client.until(b"id: 0-1\n")
    await client.until(b"\n\n")
    assert len(pod.pod.streams) == 1
    pod.pod.streams.drain()
    assert b"n1" not in await client.rest()
    await client.leave()
    assert not caplog.records
