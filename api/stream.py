"""GET /tasks/{id}/stream: from a client's cursor to its bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import accept, sse
from api.connection import Connection
from api.context import request_id
from api.problems import Problem, from_error, passing
from api.protocol import take_over
from api.streams import Streams
from events.errors import TaskNotFound
from events.log import EventLog
from events.model import START, EventId
from events.position import Located

_TASK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FROM = re.compile(r"now|-[1-9][0-9]{0,5}")

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def check_task_id(task_id: str) -> str:
    """A canonical UUID, or TaskNotFound: no other string was ever a task's id."""
    if _TASK_ID.fullmatch(task_id) is None:
        raise TaskNotFound
    return task_id


class StreamResponse(EventSourceResponse):
    """A stream that needs no task of its own: sse-starlette's headers, and our delivery.

    sse-starlette makes five tasks a connection: to iterate, to ping, to wait for the exit signal and for the
    disconnect, and a group around them. Here the request's own task ends once the client has all there is;
    then the tailer pushes, and pings and farewells are the pod's business.

    Raises:
        Problem: the pod takes no more streams.
    """

    def __init__(
        self,
        streams: Streams,
        task_id: str,
        located: Located,
        *,
        cancel: bool,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        streams.admit()  # whoever made it waited for Redis meanwhile, and others came
        super().__init__(_nothing(), headers={**HEADERS, **(headers or {})}, sep="\n", ping=0)
        self._streams = streams
        self._task_id = task_id
        self._located = located
        self._cancel = cancel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream; HEAD gets the headers alone."""
        if scope["method"] == "HEAD":
            return await super().__call__(scope, receive, send)
        first = sse.retry(1, 3)
        if self._located.notice is not None:
            first += sse.SseCodec().notice(self._located.notice)
        # No other request can follow on a connection that nobody listens to any more (RFC 9112, section 9.6).
        head = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if self._located.ended:
            return await send({"type": "http.response.body", "body": first})
        connection = Connection(self._streams, self._task_id, cancels=self._cancel)
        if take_over(scope, connection):
            await self._streams.serve(connection, self._located.position, first=first)
        return None


def passing_stream(problem: Problem) -> Response:
    """What a browser gets for a problem that passes: EventSource gives up for good on any status but 200."""
    body = sse.farewell(problem.detail)
    return Response(body, headers=HEADERS, media_type="text/event-stream")


def answer_problem(problem: Problem, request: Request) -> Response:
    """A problem's answer in the manner that suits who asked."""
    if problem.passing and accept.takes_event_stream(request.headers.get("accept")):
        return passing_stream(problem)
    return problem.response(request_id(request.scope))


class StreamEndpoint:
    """The ASGI app behind the stream's path. It stands beside FastAPI, not behind its middleware."""

    def __init__(self, log: EventLog, streams: Streams) -> None:
        self._log = log
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except Exception as error:
            problem = from_error(error)
            if problem is None:
                raise
            response = answer_problem(problem, request)
        response.headers["X-Request-ID"] = request_id(scope)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept.choose(request.headers.get("accept"), ["text/event-stream"])
        cursor = _cursor(request)
        start = None if cursor is not None else _from(request)
        cancel = cancels_on_disconnect(request)
        task_id = check_task_id(request.path_params["task_id"])
        self._streams.admit()
        if cursor is None:
            cursor = await self._start(task_id, start)
        located = await self._locate(task_id, cursor)
        if located.ended and located.notice is None:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return StreamResponse(self._streams, task_id, located, cancel=cancel)

    async def _locate(self, task_id: str, cursor: EventId) -> Located:
        try:
            return await self._streams.locate(task_id, cursor)
        except TaskNotFound:
            if not self._streams.settling:
                raise
            detail = "Redis was away; what it lost is being put back."
            raise passing("settling", "The log is being put in order", detail) from None

    async def _start(self, task_id: str, start: str | None) -> EventId:
        if start is None:
            return START
        return await self._log.from_end(task_id, 0 if start == "now" else -int(start))


def _cursor(request: Request) -> EventId | None:
    """The client's cursor: the header wins over the query; an empty one is none."""
    for name, value in request.scope["headers"]:
        if name == b"last-event-id" and value:
            return EventId.parse(value)
    query = request.query_params.get("last_event_id")
    return EventId.parse(query) if query else None


def _from(request: Request) -> str | None:
    start = request.query_params.get("from")
    if start is not None and _FROM.fullmatch(start) is None:
        detail = "from takes now, or how many events before the end to start, such as -20."
        raise Problem(422, "invalid_request", "The request is invalid", detail)
    return start


def cancels_on_disconnect(request: Request) -> bool:
    """Whether the task shall end with its client: `?on_disconnect=cancel`."""
    wanted = request.query_params.get("on_disconnect", "continue")
    if wanted not in ("cancel", "continue"):
        detail = "on_disconnect takes continue or cancel."
        raise Problem(422, "invalid_request", "The request is invalid", detail)
    return wanted == "cancel"


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
