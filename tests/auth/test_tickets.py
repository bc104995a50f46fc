"""Tickets: a browser's way to a stream, once, and with its cookie again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from redis.asyncio import Redis

from api.auth.passes import Kind, make_pass, sign
from api.auth.principal import Principal
from events.apikeys import KeyDirectory, Role
from events.settings import Settings
from events.tasks import TaskStore
from tests.support.credentials import made
from tests.support.http import code
from tests.support.pods import RunningPod
from tests.support.secured import (
    bearer,
    cookie_of,
    ended_task_of,
    events_of,
    open_stream,
    refused,
    secured_pod,
    task_of,
    ticket_for,
)

SECRET = "a secret of thirty-two characters"
UNKNOWN = "01998d0c-0000-7000-8000-000000000000"


@pytest.fixture
async def secured(settings: Settings) -> AsyncGenerator[RunningPod]:
    """A pod that asks for API keys, and keeps no cookies in its client."""
    async with secured_pod(settings, secret=SECRET) as pod:
        yield pod


@pytest.fixture
async def key(directory: KeyDirectory) -> str:
    """The API key of ada, of the default tenant."""
    return (await made(directory, "default", "ada"))[0]


async def test_a_ticket_opens_the_stream_once_and_its_cookie_again(
    secured: RunningPod, tasks: TaskStore, key: str
) -> None:
    """As an EventSource does: the first time with a fresh ticket, then with the spent one and the cookie."""
    task_id = await ended_task_of(tasks, "ada")
    made_now = await secured.client.post(f"/tasks/{task_id}/ticket", headers=bearer(key))
    assert made_now.headers["cache-control"] == "no-store"
    said = made_now.json()
    assert said["stream"] == f"/tasks/{task_id}/stream?ticket={said['ticket']}"
    rest = datetime.fromisoformat(said["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < rest <= timedelta(seconds=30)
    first = await secured.client.get(said["stream"])
    assert events_of(first) == ["0-1", "1-2"]
    cookie = cookie_of(first)
    assert refused(await secured.client.get(said["stream"]))
    again = await open_stream(secured, task_id, said["ticket"], cookie, {"Last-Event-ID": "0-1"})
    assert events_of(again) == ["1-2"]
    assert "set-cookie" not in again.headers
    over = await open_stream(secured, task_id, said["ticket"], cookie, {"Last-Event-ID": "1-2"})
    assert over.status_code == 204


async def test_the_cookie_is_for_that_stream_alone(secured: RunningPod, tasks: TaskStore, key: str) -> None:
    """No script sees it, no plain connection carries it, no other site's page makes a browser send it."""
    task_id = await ended_task_of(tasks, "ada")
    answer = await open_stream(secured, task_id, await ticket_for(secured, key, task_id))
    _, *attributes = answer.headers["set-cookie"].split("; ")
    path = f"Path=/tasks/{task_id}/stream"
    assert attributes == ["Max-Age=43200", path, "HttpOnly", "Secure", "SameSite=Strict"]


@pytest.mark.parametrize(
    ("same_site", "told"), [("lax", "SameSite=Lax"), ("none", "SameSite=None; Partitioned")]
)
async def test_the_cookie_of_a_page_of_another_site(
    settings: Settings, tasks: TaskStore, key: str, same_site: str, told: str
) -> None:
    """The setting says whose pages have it sent."""
    task_id = await ended_task_of(tasks, "ada")
    async with secured_pod(settings, cookie_samesite=same_site) as pod:
        answer = await open_stream(pod, task_id, await ticket_for(pod, key, task_id))
    assert answer.headers["set-cookie"].endswith(f"; Secure; {told}")


async def test_it_opens_nothing_else(secured: RunningPod, tasks: TaskStore, key: str) -> None:
    """No other task, path or method; and where it opened nothing, it still opens what it's for."""
    task_id, other = [await ended_task_of(tasks, "ada") for _ in range(2)]
    ticket = await ticket_for(secured, key, task_id)
    spent = await ticket_for(secured, key, task_id)
    cookie = cookie_of(await open_stream(secured, task_id, spent))
    query, sent = {"ticket": ticket}, {"Cookie": f"taskreel_stream={cookie}"}
    for task in (other, UNKNOWN):
        assert refused(await open_stream(secured, task, ticket, cookie))
    for method, path in [
        ("HEAD", f"/tasks/{task_id}/stream"),
        ("POST", f"/tasks/{task_id}/stream"),
        ("GET", f"/tasks/{task_id}/stream/"),
        ("GET", f"/tasks/{task_id}"),
        ("GET", f"/tasks/{task_id}/events"),
        ("POST", f"/tasks/{task_id}/ticket"),
        ("POST", f"/tasks/{task_id}/cancel"),
        ("GET", "/tasks"),
        ("GET", "/whoami"),
    ]:
        answer = await secured.client.request(method, path, params=query, headers=sent)
        assert answer.status_code == 401, (method, path)
    assert events_of(await open_stream(secured, task_id, ticket)) == ["0-1", "1-2"]


async def test_a_cookie_opens_nothing_by_itself(secured: RunningPod, tasks: TaskStore, key: str) -> None:
    """It needs a ticket of the same principal's for the same task in the URL, as an EventSource has it."""
    task_id = await ended_task_of(tasks, "ada")
    spent = await ticket_for(secured, key, task_id)
    cookie = cookie_of(await open_stream(secured, task_id, spent))
    alone = await open_stream(secured, task_id, cookie=cookie)
    assert alone.headers["www-authenticate"] == 'Bearer realm="taskreel"'
    assert code(alone) == (401, "unauthenticated")
    for wrong in ("x", cookie, f"{spent[:-4]}aaaa"):
        assert refused(await open_stream(secured, task_id, wrong, cookie))
    assert refused(await open_stream(secured, task_id, spent, spent))
    twice = f"/tasks/{task_id}/stream?ticket={spent}&ticket={spent}"
    assert (
        await secured.client.get(twice, headers={"Cookie": f"taskreel_stream={cookie}"})
    ).status_code == 401
    assert events_of(await open_stream(secured, task_id, spent, cookie))


async def test_another_cookie_in_between_is_passed_over(
    secured: RunningPod, tasks: TaskStore, key: str
) -> None:
    """Some other site of the domain may have set one of that name."""
    task_id = await ended_task_of(tasks, "ada")
    spent = await ticket_for(secured, key, task_id)
    cookie = cookie_of(await open_stream(secured, task_id, spent))
    sent = {"Cookie": f"a=b; taskreel_stream=x; taskreel_stream={cookie}; c"}
    assert events_of(await open_stream(secured, task_id, spent, headers=sent))


async def test_the_header_decides_alone(
    secured: RunningPod, tasks: TaskStore, directory: KeyDirectory, key: str
) -> None:
    """A wrong one isn't made right by a ticket, which stays unused."""
    task_id = await ended_task_of(tasks, "ada")
    ticket = await ticket_for(secured, key, task_id)
    other, _ = await made(directory, "default", "bob")
    assert (await open_stream(secured, task_id, ticket, headers=bearer(other))).status_code == 404
    assert (await open_stream(secured, task_id, ticket, headers=bearer("tr_x"))).status_code == 401
    assert events_of(await open_stream(secured, task_id, ticket))


async def test_a_fresh_ticket_wins_over_an_older_cookie(
    secured: RunningPod, tasks: TaskStore, directory: KeyDirectory, key: str
) -> None:
    """Somebody else has signed in meanwhile; the new cookie goes with the new ticket."""
    task_id = await ended_task_of(tasks, "ada")
    old = await ticket_for(secured, key, task_id)
    old_cookie = cookie_of(await open_stream(secured, task_id, old))
    ops, _ = await made(directory, "default", "olga", Role.OPS)
    new = await ticket_for(secured, ops, task_id)
    answer = await open_stream(secured, task_id, new, old_cookie)
    assert events_of(answer)
    assert refused(await open_stream(secured, task_id, new, old_cookie))
    assert refused(await open_stream(secured, task_id, old, cookie_of(answer)))
    assert events_of(await open_stream(secured, task_id, new, cookie_of(answer)))


async def test_of_many_at_once_one_comes_in(
    secured: RunningPod, settings: Settings, tasks: TaskStore, key: str
) -> None:
    """At two pods, which share nothing but Redis."""
    task_id = await ended_task_of(tasks, "ada")
    async with secured_pod(settings, secret=SECRET) as other:
        ticket = await ticket_for(secured, key, task_id)
        async with asyncio.TaskGroup() as group:
            tries = [
                group.create_task(open_stream(pod, task_id, ticket))
                for pod in (secured, other)
                for _ in range(20)
            ]
    assert sorted(it.result().status_code for it in tries) == [200] + [401] * 39


async def test_what_is_no_ticket_of_ours(
    secured: RunningPod, tasks: TaskStore, key: str, settings: Settings
) -> None:
    """Expired, unsigned, signed by others, of another kind or system: all are answered alike."""
    task_id = await ended_task_of(tasks, "ada")
    principal = Principal("default", "ada", Role.SUBMIT, key.split("_")[1], None)
    system, secret = settings.key_prefix, SECRET.encode()
    good = make_pass(principal, task_id, 30)
    claims = jwt.decode(sign(good, Kind.TICKET, system, secret), options={"verify_signature": False})
    wrong = [
        sign(make_pass(principal, task_id, -1), Kind.TICKET, system, secret),
        sign(good, Kind.TICKET, system, b"another secret of 32 characters!"),
        sign(good, Kind.COOKIE, system, secret),
        sign(good, Kind.TICKET, "elsewhere", secret),
        jwt.encode(claims, "", "none", {"typ": "taskreel-ticket+jwt"}),
        jwt.encode(claims, secret * 2, "HS512", {"typ": "taskreel-ticket+jwt"}),
        jwt.encode(claims, secret, "HS256"),
        key, "x" * 5000, "é", "a.b.c",
    ]  # fmt: skip
    for ticket in wrong:
        assert refused(await open_stream(secured, task_id, ticket))
    assert events_of(await open_stream(secured, task_id, sign(good, Kind.TICKET, system, secret)))


async def test_who_may_not_read_a_task_gets_no_ticket(
    secured: RunningPod, tasks: TaskStore, directory: KeyDirectory
) -> None:
    """Another subject's, another tenant's and no task at all are one; without a credential there is none."""
    task_id = await task_of(tasks, "ada")
    bob, _ = await made(directory, "default", "bob")
    eve, _ = await made(directory, "acme", "ada", Role.OPS)
    for key, task in [(bob, task_id), (eve, task_id), (bob, UNKNOWN), (bob, "x")]:
        answer = await secured.client.post(f"/tasks/{task}/ticket", headers=bearer(key))
        assert code(answer) == (404, "task_not_found")
    assert code(await secured.client.post(f"/tasks/{task_id}/ticket")) == (401, "unauthenticated")


async def test_a_ticket_is_of_its_tenant(
    secured: RunningPod, tasks: TaskStore, directory: KeyDirectory, redis: Redis
) -> None:
    """It opens that tenant's task, and what is known of its use lies with that tenant, and ends."""
    task_id = await ended_task_of(tasks, "ada", "acme")
    key, _ = await made(directory)
    assert events_of(await open_stream(secured, task_id, await ticket_for(secured, key, task_id)))
    names: list[bytes] = await redis.keys(f"{directory.keys.prefix}:acme:ticket:*")
    assert [0 < await redis.ttl(name) <= 60 for name in names] == [True]
