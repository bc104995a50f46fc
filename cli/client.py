"""Client: everything a program can ask of Taskreel over HTTP, by whichever pod answers.

async with Client("http://127.0.0.1:8000") as client:
    task = await client.submit("digest", {"sentences": 3})
    async with client.follow(task["task_id"]) as events:
        async for event in events:
            print(event["type"], event["data"])
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, Self
from uuid import uuid4

import httpx
import orjson

from cli.answers import broken_off, check
from cli.failures import BadAnswer, InvalidRequest, Passing
from cli.follow import Follow, Times
from cli.history import History
from cli.pods import Pods
from cli.wire import Event, OnNotice, authorization, check_cursor, task_path

LARGEST_PAGE = 1000
"""Tasks that a pod lists at a time at most."""

_LOOPBACK = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}


class Client:
    """A system of one or more pods. Use it as an async context manager, or call `aclose`.

    Every method raises a `cli.failures.ClientError`: `Unreachable` when no pod answers, `Refused` with a
    pod's problem document, `BadAnswer` when what answers is no pod.

    Args:
        base_urls: of the pods; one string may hold several with commas between. Proxies that the environment
            names are used for all hosts but this one.
        token: an API key or a JWT; a pod that asks for none gets it as well. It goes to these URLs alone, for
            no redirect is followed.
        headers: sent with every request.
        connect_timeout: seconds to wait for a connection.
        answer_timeout: seconds to wait for an answer to begin, or to go on, if it is no stream.
        read_timeout: seconds of silence after which a stream is taken for dead; the default is three of its
            heartbeats. A computer that slept finds out so long after it woke, at the latest.
        patience: seconds that `follow` goes on looking for a pod once it has lost one.
        transport: in place of httpx's own, for tests.
    """

    def __init__(
        self,
        base_urls: str | Sequence[str],
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 5.0,
        answer_timeout: float = 10.0,
        read_timeout: float = 45.0,
        patience: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._pods = Pods(base_urls)
        self._patience = patience
        self._stream_timeout = httpx.Timeout(connect_timeout, read=read_timeout)
        self._answer_timeout = answer_timeout
        timeout = httpx.Timeout(connect_timeout, read=answer_timeout)
        mounts = {} if transport else _LOOPBACK
        limits = httpx.Limits(max_connections=None)  # every stream holds one, and none may wait for another
        self._http = httpx.AsyncClient(
            headers={**(headers or {}), **authorization(token)},
            timeout=timeout,
            limits=limits,
            mounts=mounts,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def submit(
        self,
        graph: str,
        input: Any = None,  # noqa: A002 - the word of the protocol
        *,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Submit a task: `{task_id, status, graph, created_at, links}`.

        Args:
            graph: its name.
            input: checked against the graph's schema; None for an empty one.
            thread_id: LangGraph's thread; by default one of the task's own.
            metadata: yours, given back with the task.
            idempotency_key: requests with the same key make one task. Without one, a key is made up for this
                call, so that it may be sent again after a lost answer.
        """
        optional = {"input": input, "thread_id": thread_id, "metadata": metadata}
        body = {"graph": graph} | {name: value for name, value in optional.items() if value is not None}
        try:
            content = orjson.dumps(body)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"invalid_json: the input or metadata is not JSON: {error}") from None
        key = idempotency_key or uuid4().hex
        if not key.isprintable():
            raise InvalidRequest("invalid_key: an Idempotency-Key has 1 to 255 printable ASCII characters")
        headers = {b"Content-Type": b"application/json", b"Idempotency-Key": key.encode()}
        return await self._ask("POST", "/tasks", content=content, headers=headers)

    async def task(self, task_id: str) -> dict[str, Any]:
        """A task as it is now: `{task_id, graph, status, attempt, created_at, …}`."""
        return await self._ask("GET", task_path(task_id))

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Have a task end as soon as can be: `{task_id, status}`. Refused with `already_ended`."""
        return await self._ask("POST", task_path(task_id) + "/cancel")

    async def resume(self, task_id: str, value: Any, interrupt_id: str | None = None) -> dict[str, Any]:
        """Answer a task that waits: `{task_id, status}`. Refused with `not_waiting`.

        Args:
            task_id: the task.
            value: what `interrupt()` returns in the graph.
            interrupt_id: which question it answers, if there are several.
        """
        body = {"value": value} | ({"interrupt_id": interrupt_id} if interrupt_id else {})
        return await self._ask("POST", task_path(task_id) + "/resume", json=body)

    async def tasks(
        self, *, status: str | None = None, graph: str | None = None, limit: int | None = None
    ) -> AsyncGenerator[dict[str, Any]]:
        """Tasks, newest first, page after page: at most `limit` of them, or all there are."""
        parameters = {name: value for name, value in (("status", status), ("graph", graph)) if value}
        left = limit
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            page = await self._ask("GET", "/tasks", params={**parameters, "limit": str(size)})
            for task in page["tasks"]:
                yield task
            left = None if left is None else left - len(page["tasks"])
            if page["next"] is None:
                return
            parameters["cursor"] = page["next"]

    async def events(
        self,
        task_id: str,
        after: str | None = None,
        attempts: Literal["final", "all"] = "all",
        types: Sequence[str] | None = None,
    ) -> AsyncGenerator[Event]:
        """The events that a task has now, oldest first.

        Args:
            task_id: the task.
            after: only those after this id, such as `1-57`.
            attempts: `final` leaves out what a later attempt has done again.
            types: only these.
        """
        parameters = {"attempts": attempts} | ({"types": ",".join(types)} if types else {})
        path = task_path(task_id) + "/events"
        history = History(self._http, self._pods, path, parameters)
        async with aclosing(history.read(check_cursor(after))) as found:
            async for event in found:
                yield event

    def follow(self, task_id: str, after: str | None = None, *, on_notice: OnNotice | None = None) -> Follow:
        """The events of a task after a cursor, as they come, until its end; see `Follow`.

        `on_notice` is called with a `Notice` for what is no event: lost connections, gaps, roll-backs.
        """
        times = Times(self._answer_timeout, self._stream_timeout, self._patience)
        return Follow(self._http, self._pods, task_id, times, after=after, on_notice=on_notice)

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask the pods in turn until one answers. What is sent can be sent twice."""
        trouble = Passing("no pod was asked")
        for _ in range(len(self._pods)):
            try:
                return await self._ask_one(method, self._pods.current + path, options)
            except Passing as found:
                trouble = found
                self._pods.advance()
        raise self._pods.final(trouble) from trouble

    async def _ask_one(self, method: str, url: str, options: dict[str, Any]) -> Any:
        with broken_off():
            response = await self._http.request(method, url, **options)
        self._pods.reached = True
        await check(response, "application/json")
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise BadAnswer(f"the pod's answer is not JSON: {error}") from None
