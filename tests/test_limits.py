"""A pod with fewer open files than clients: it serves what it can, tells the others, and recovers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.edge.admission import Admission
from api.edge.limits import OWN_FILES, Limits, carried, needed_files
from events.log import EventLog
from events.settings import Settings
from tests.support.logs import plant
from tests.support.pods import running_pod
from tests.support.server import free_port
from tests.support.sockets import Socket, answer, begin
from tests.support.system import command
from tests.support.waiting import wait_until

FILES = 256
CLIENTS = 400
FOUND = carried(FILES, 10_000)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLOSE = b"connection: close\r\n"


def get_stream(task_id: str, accept: str = "text/event-stream", more: str = "") -> bytes:
    """The request for a stream."""
    return (
        f"GET /tasks/{task_id}/stream HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n{more}\r\n".encode()
    )


@pytest.fixture
def errors(tmp_path: Path) -> Path:
    """Where the narrow pod's log goes."""
    return tmp_path / "stderr"


@pytest.fixture
async def narrow_url(settings: Settings, errors: Path) -> AsyncGenerator[str]:
    """A pod's process that may have 256 files open, and else has the default settings."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    names = {"TASKREEL_REDIS_URL": settings.redis_url, "TASKREEL_KEY_PREFIX": settings.key_prefix}
    names["TASKREEL_POD_DRAIN_SECONDS"] = "0"
    limited = ["sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *command("api", "--port", str(port))]
    with errors.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(*limited, env=os.environ | names, stderr=stderr)
    await wait_until(lambda: _is_ready(url))
    yield url
    process.terminate()
    assert await process.wait() == 0


async def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            return (await client.get("/readyz")).status_code == 200
    return False


async def insist(url: str, task_id: str, accept: str, streams: list[Socket]) -> bytes:
    """Ask for a stream until there is an answer. A stream that goes on is kept in the list."""
    while True:
        client, head = await begin(url, get_stream(task_id, accept)), b""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await client.until(b"\r\n\r\n")
        if b"chunked" in head:
            streams.append(client)
            return await client.until(b"id: 0-1\n")
        text = head + await client.rest()
        await client.leave()
        if text:
            return text
        await asyncio.sleep(0.05)


async def test_a_pod_with_few_open_files_serves_what_it_can_and_tells_the_others(
    narrow_url: str, errors: Path, log: EventLog, task_id: str
) -> None:
    """400 clients at once on 256 files: 102 streams, an answer for each other, and room again afterwards."""
    streams = list[Socket]()
    kinds = ["text/event-stream", "*/*"] * (CLIENTS // 2)
    answers = await asyncio.gather(*(insist(narrow_url, task_id, kind, streams) for kind in kinds))
    assert len(streams) == FOUND.streams
    _check_answers(answers, kinds)
    assert await _is_ready(narrow_url)
    await plant(log, task_id, ["1-2"])
    for client in streams:
        await client.until(b"id: 1-2\n")
    for client in streams:
        await client.leave()
    again = list[Socket]()
    await wait_until(lambda: _gets_in(narrow_url, task_id, again, FOUND.streams))
    for client in again:
        await client.leave()
    _check_line(errors)


def _check_line(errors: Path) -> None:
    """The pod has said once what it found, what it needs and what it does."""
    lines = [line for line in errors.read_text().splitlines() if "TASKREEL_MAX_STREAMS" in line]
    assert len(lines) == 1
    assert f"needs {needed_files(10_000)} open files" in lines[0]
    assert f"the limit is {FILES}, so this pod takes {FOUND.streams} streams" in lines[0]


def _check_answers(answers: list[bytes], kinds: list[str]) -> None:
    """Each was served, or told in its own manner that the pod is full and the connection ends."""
    served = 0
    for text, kind in zip(answers, kinds, strict=True):
        if b"id: 0-1\n" in text:
            served += 1
        elif kind == "*/*":
            assert text.startswith(b"HTTP/1.1 429")
            assert b"too_many_streams" in text
        else:
            assert text.startswith(b"HTTP/1.1 200")
            assert b"\r\n\r\nretry: " in text
    assert served == FOUND.streams


async def _gets_in(url: str, task_id: str, streams: list[Socket], wanted: int) -> bool:
    await insist(url, task_id, "text/event-stream", streams)
    return len(streams) == wanted


@contextlib.asynccontextmanager
async def two_places(settings: Settings, patience: float) -> AsyncGenerator[tuple[str, Admission]]:
    """The URL of a pod that can carry two connections, one of them a stream."""
    admission = Admission(Limits(streams=1, connections=2), patience=patience)
    async with running_pod(settings, admission=admission) as pod:
        yield pod.url, admission


async def test_a_newcomer_takes_the_place_of_who_was_silent_for_longest(settings: Settings) -> None:
    """After its answer, or in the middle of its request; whoever came later stays."""
    async with two_places(settings, patience=0) as (url, admission):
        served = await begin(url, HEALTH)
        assert CLOSE not in await served.until(b"alive")
        begun = await begin(url, HEALTH[:20])
        assert b"alive" in await answer(url, HEALTH)
        assert await served.rest() == b'"}'
        begun.writer.write(HEALTH[20:])
        assert CLOSE not in await begun.until(b"alive")
        await begun.leave()
        begun, later = await begin(url, HEALTH[:20]), await begin(url)
        assert b"alive" in await answer(url, HEALTH)
        assert await begun.rest() == b""
        later.writer.write(HEALTH)
        assert CLOSE not in await later.until(b"alive")
        assert admission.turned_away == 0
        await asyncio.gather(served.leave(), begun.leave(), later.leave())


async def test_who_has_just_come_is_left_in_peace(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """A newcomer is turned away then, which is counted, and logged once a minute."""
    async with two_places(settings, patience=60) as (url, admission):
        silent = [await begin(url), await begin(url)]
        for _ in range(3):
            assert await answer(url, HEALTH) == b""
        assert admission.turned_away == 3
        assert [record.getMessage() for record in caplog.records] == [
            "all 2 connections are taken; newcomers are turned away"
        ]
        for client in silent:
            await client.leave()
        await wait_until(lambda: _is_ready(url))


async def test_a_stream_keeps_its_place(settings: Settings, log: EventLog, task_id: str) -> None:
    """Its client has nothing to say, and isn't taken for silent, not even if it owes its request's body."""
    async with two_places(settings, patience=0) as (url, _):
        stream = await begin(url, get_stream(task_id, more="Content-Length: 5\r\n"))
        await stream.until(b"id: 0-1\n")
        silent = await begin(url)
        assert b"alive" in await answer(url, HEALTH)
        assert await silent.rest() == b""
        await plant(log, task_id, ["1-2"])
        await stream.until(b"id: 1-2\n")
        await asyncio.gather(silent.leave(), stream.leave())


def test_the_soft_limit_is_raised_and_what_it_carries_is_told() -> None:
    """As far as the hard limit, and in one line that says what was found, what is needed and what to do."""
    code = "from cli import logs; logs.configure(); from api.edge.limits import prepare; print(prepare(200))"
    for hard, streams, lines in ((350, 177, 1), (1000, 200, 0)):
        script = f'ulimit -Sn 100; ulimit -Hn {hard}; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert f"Limits(streams={streams}," in done.stdout
        assert done.stderr.count("\n") == lines
        assert done.stderr.count(f"the limit is {hard}, so this pod takes {streams} streams") == lines


@given(st.integers(1, 100_000), st.integers(0, 200_000))
def test_what_a_number_of_files_carries(streams: int, files: int) -> None:
    """With enough files it's what was wanted; else less, but never nothing, and it fits."""
    found = carried(files, streams)
    assert 1 <= found.streams <= streams
    assert (found.streams == streams) or files < needed_files(streams)
    assert OWN_FILES + found.connections <= max(files, OWN_FILES + 1)
    assert carried(needed_files(streams), streams).streams == streams
