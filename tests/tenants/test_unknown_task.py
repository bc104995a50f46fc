"""Another's task is an unknown one, byte for byte, whatever is asked of it and whatever state it's in."""

from __future__ import annotations

import re

import pytest
from uuid_utils import uuid7

from events.settings import Settings
from tests.support.sockets import answer
from tests.tenants.rows import ROWS
from tests.tenants.test_matrix import table
from tests.tenants.world import STATES, World

DATE = re.compile(rb"\r\ndate: [^\r\n]+")
JSON = "Content-Type: application/json"

Request = tuple[str, str, list[str], bytes]

REQUESTS: list[Request] = [
    ("GET", "", [], b""),
    ("GET", "", ["Accept: text/html"], b""),
    ("GET", "/events", [], b""),
    ("GET", "/events?after=1-2&limit=1&types=progress&attempts=final", [], b""),
    ("GET", "/events?after=x", [], b""),
    ("GET", "/events?limit=0", [], b""),
    ("GET", "/events", ["Accept: application/x-ndjson"], b""),
    ("GET", "/events", ["If-None-Match: *"], b""),
    ("GET", "/stream", [], b""),
    ("GET", "/stream", ["Accept: text/event-stream", "Last-Event-ID: 1-3"], b""),
    ("GET", "/stream?last_event_id=1-5", [], b""),
    ("GET", "/stream?from=now", [], b""),
    ("GET", "/stream?from=-20&on_disconnect=cancel", [], b""),
    ("GET", "/stream", ["Last-Event-ID: x"], b""),
    ("HEAD", "/stream", [], b""),
    ("POST", "/cancel", [], b""),
    ("POST", "/resume", [JSON], b'{"value":1}'),
    ("POST", "/resume", [JSON], b'{"value":1,"interrupt_id":"i1"}'),
    ("POST", "/resume", [JSON], b'{"value":1,"interrupt_id":"i2"}'),
    ("POST", "/resume", [JSON], b"{}"),
    ("POST", "/resume", [JSON], b"{"),
    ("POST", "/resume", [], b"no JSON"),
    ("POST", "/ticket", [], b""),
    ("DELETE", "", [], b""),
    ("OPTIONS", "/stream", [], b""),
    ("PUT", "/stream", [], b""),
]
"""What can be asked of a task: method, the rest of the path, headers, body."""


async def asked(world: World, caller: str, task_id: str, request: Request) -> bytes:
    """The whole answer as it came, but for its date; the connection ends with it."""
    method, rest, more, body = request
    head = [
        f"{method} /tasks/{task_id}{rest} HTTP/1.1",
        "Host: pod",
        "X-Request-ID: one",
        "Connection: close",
    ]
    head += [f"{name}: {value}" for name, value in world.headers[caller]]
    head += [*more, *([f"Content-Length: {len(body)}"] if body else [])]
    whole = await answer(world.pod.url, "\r\n".join([*head, "", ""]).encode() + body)
    assert whole.startswith(b"HTTP/1.1 ")
    return DATE.sub(b"", whole)


def test_every_route_of_a_task_is_asked(settings: Settings) -> None:
    """A new route that takes a task's id fails here until REQUESTS has it."""
    there = {route.replace("/tasks/{task_id}", "") for route in table(settings) if "{task_id}" in route}
    missing = there - {f"{method} {rest.partition('?')[0]}" for method, rest, _, _ in REQUESTS}
    assert not missing, f"add to REQUESTS in this file: {', '.join(sorted(missing))}"
    assert there == {row.route.replace("/tasks/{task_id}", "") for row in ROWS if "{task_id}" in row.path}


@pytest.mark.parametrize("caller", ["stranger", "namesake", "nearby", "default", "colleague"])
async def test_another_ones_task_is_an_unknown_one(world: World, caller: str) -> None:
    """To another tenant, and to who may see no task but its own, no answer tells that there is a task."""
    tasks = [await world.make(state) for state in STATES]
    for request in REQUESTS:
        nobodys = await asked(world, caller, str(uuid7()), request)
        for task_id, state in zip(tasks, STATES, strict=True):
            assert await asked(world, caller, task_id, request) == nobodys, (state, request)


@pytest.mark.parametrize("state", STATES)
async def test_the_owner_is_told_more(world: World, state: str) -> None:
    """The same requests by the owner have other answers than for an unknown task: the test above can fail."""
    task_id, unknown = await world.make(state), str(uuid7())
    cancel: Request = ("POST", "/cancel", [], b"")
    for request in (REQUESTS[0], REQUESTS[2], cancel):
        assert await asked(world, "owner", task_id, request) != await asked(world, "owner", unknown, request)


@pytest.mark.parametrize("caller", ["stranger", "colleague"])
async def test_no_spelling_of_an_id_reaches_into_a_tenant(world: World, caller: str) -> None:
    """An id with a tenant in it, however it is written, is no task's id."""
    task_id = await world.make("ended")
    for spelled in (
        f"acme/{task_id}",
        f"acme%2F{task_id}",
        f"acme%2f{task_id}",
        f"..%2Facme%2F{task_id}",
        f"%61cme%2F{task_id}",
        f"acme%252F{task_id}",
        f"acme:{task_id}",
        f"{{{task_id}}}",
        task_id.upper(),
        f"{task_id}%00",
        f"{task_id}%0A",
    ):
        for rest in ("", "/events", "/stream"):
            whole = await asked(world, caller, spelled, ("GET", rest, [], b""))
            assert whole.startswith(b"HTTP/1.1 404 "), spelled
            assert b"SUCCEEDED" not in whole.upper(), spelled
