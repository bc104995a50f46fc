"""Every route, asked by everybody: no route is forgotten, and each answers each caller as it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Mount, Route

from api.app import create_app
from events.settings import Settings
from events.tenancy import qualify
from tests.support.http import code
from tests.tenants.rows import REFUSED, ROWS, Row
from tests.tenants.world import CALLERS, World

OTHER_METHODS = ("HEAD", "OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")


SPELLINGS = [
    "/task", "/tasks/", "//tasks", "/Tasks", "/console", "/%63onsole/../tasks", "/console/../tasks",
    "/docs/../tasks", "/healthz/", "/healthz/../tasks", "/tasks;/healthz", "/tasks?x=/healthz",
    "/%2e%2e/tasks", "/console/%2e%2e/tasks", "/docs/files/..%2f..%2ftasks",
]  # fmt: skip
"""Paths that the gate and the routes might read differently."""


def routes(found: list[BaseRoute]) -> Iterator[str]:
    """Each method and path of a route table; what is mounted takes GET and HEAD for all that is in it."""
    for route in found:
        if isinstance(route, Mount):
            yield from (f"{method} {route.path}/" for method in ("GET", "HEAD"))
        elif isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in route.methods or ())
        elif isinstance(included := getattr(route, "original_router", None), APIRouter):
            yield from routes(included.routes)
        else:
            pytest.fail(f"{route!r} is no kind of route that is known here: teach `routes` how to walk it")


def table(settings: Settings) -> set[str]:
    """The route table of the real application."""
    web = next(part for part in vars(create_app(settings)).values() if isinstance(part, FastAPI))
    return set(routes(web.routes))


def answered(answer: httpx.Response) -> tuple[int, str]:
    """The status, and the code of a problem if the answer has a body."""
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return answer.status_code, ""
    return code(answer)


def test_every_route_has_a_row(settings: Settings) -> None:
    """A new route fails here until it's said who gets what from it; a row without a route fails as well."""
    there, rows = table(settings), {row.route for row in ROWS}
    new = sorted(there - rows)
    assert not new, f"say in tests/tenants/rows.py who gets what from: {', '.join(new)}"
    gone = sorted(rows - there)
    assert not gone, f"tests/tenants/rows.py has rows for routes that aren't there: {', '.join(gone)}"


def test_every_documented_operation_is_a_route(settings: Settings) -> None:
    """What the OpenAPI document tells of is in the route table, and so in the matrix."""
    web: Any = next(part for part in vars(create_app(settings)).values() if isinstance(part, FastAPI))
    told = {f"{method.upper()} {path}" for path, item in web.openapi()["paths"].items() for method in item}
    assert told
    assert told <= table(settings)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name} {row.state}")
async def test_each_caller_gets_what_is_due(world: World, row: Row) -> None:
    """What the row says, or a 401 without a credential that holds; and who is refused has changed nothing."""
    wrong: list[str] = []
    for caller in [*CALLERS, *REFUSED]:
        task_id = await world.make(row.state)
        before = await world.kept(qualify("acme", task_id))
        answer = await world.ask(caller, row.method, row.target(task_id), **row.request)
        status, problem = row.due(caller)
        due = (status, "" if row.method == "HEAD" else problem, row.challenge(caller))
        got = (*answered(answer), answer.headers.get("www-authenticate"))
        if got != due:
            wrong.append(f"{caller} got {got}, due was {due}")
        if status >= 400 and await world.kept(qualify("acme", task_id)) != before:
            wrong.append(f"{caller} was refused and has changed the task")
    assert wrong == []


async def test_other_methods_are_refused_after_the_credential(world: World) -> None:
    """A method that a path doesn't take is a 405 to those who may ask, and a 401 to those who may not."""
    task_id = await world.make("running")
    for path in sorted({row.path + row.file for row in ROWS}):
        rows = [row for row in ROWS if row.path + row.file == path]
        target = rows[0].target(task_id).partition("?")[0]
        for method in set(OTHER_METHODS) - {row.method for row in rows}:
            answer = await world.ask("scraper" if rows[0].is_scraped else "ops", method, target)
            assert answer.status_code == 405, (method, path)
            assert method not in answer.headers["allow"].split(", "), (method, path)
            if not rows[0].is_open:
                refused = await world.ask("wrong", method, target)
                assert refused.status_code == 401, (method, path)
                assert refused.headers["www-authenticate"] == REFUSED["wrong"], (method, path)


async def test_no_spelling_of_a_path_passes_the_gate(world: World) -> None:
    """What looks like an open path and isn't one, or the other way round, leads to nobody's tasks."""
    task_id = await world.make("ended")
    for target in SPELLINGS:
        url = httpx.URL(world.pod.url).copy_with(raw_path=target.encode())
        answer = await world.pod.client.send(httpx.Request("GET", url, headers={"Host": "pod"}))
        assert answer.status_code in (401, 404), target
        assert task_id not in answer.text, target
