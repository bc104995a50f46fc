"""GET /tasks/{id}/stream: from a client's cursor to its bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import accept, metrics, sse
from api.auth.access import Access
from api.auth.principal import Permission, principal_of
from api.auth.tickets import cookie_to_set
from api.connection import Connection
from api.context import request_id
from api.edge.protocol import take_over
from api.places import Place
from api.problems import Problem, from_error, internal_error, passing
from api.streams import Streams
from api.throttle import rate_headers
from events.errors import TaskNotFound
from events.log import EventLog
from events.metrics import told
from events.model import START, EventId
from events.position import Located

_FROM = re.compile(r"now|-[1-9][0-9]{0,5}")

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


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
        place: Place | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        streams.admit()  # whoever made it waited for Redis meanwhile, and others came
        super().__init__(_nothing(), headers={**HEADERS, **(headers or {})}, sep="\n", ping=0)
        self._streams = streams
        self._task_id = task_id
        self._located = located
        self._cancel = cancel
        self._place = place
        if place is not None:
            place.used = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream; HEAD gets the headers alone."""
        if scope["method"] == "HEAD":
            return await super().__call__(scope, receive, send)
        first = sse.retry(1, 3)
        if self._located.notice is not None:
            first += sse.SseCodec().notice(self._located.notice)
            told(self._located.notice)
        # No other request can follow on a connection that nobody listens to any more (RFC 9112, section 9.6).
        head = [it for it in self.raw_headers if it[0] != b"connection"] + [(b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if self._located.ended:
            return await send({"type": "http.response.body", "body": first})
        connection = Connection(
            self._streams, self._task_id, principal_of(scope), place=self._place, cancels=self._cancel
        )
        if take_over(scope, connection):
            await self._streams.serve(connection, self._located.position, first=first)
        else:
            self._streams.give_back(self._place)
        return None


def passing_stream(problem: Problem) -> Response:
    """What a browser gets for a problem that passes: EventSource gives up for good on any status but 200."""
    metrics.problem(problem.status, problem.code)
    body = sse.farewell(problem.detail, elsewhere=problem.elsewhere)
    return Response(body, headers=HEADERS, media_type="text/event-stream")


def answer_problem(problem: Problem, request: Request) -> Response:
    """A problem's answer in the manner that suits who asked."""
    if problem.passing and accept.takes_event_stream(request.headers.get("accept")):
        response = passing_stream(problem)
    else:
        response = problem.response(request_id(request.scope))
    response.headers.update(rate_headers(request.scope))
    return response


class StreamEndpoint:
    """The ASGI app behind the stream's path. It stands beside FastAPI, not behind its middleware."""

    def __init__(self, log: EventLog, streams: Streams, access: Access) -> None:
        self._log = log
        self._streams = streams
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except Exception as error:
            problem = from_error(error) or internal_error(error, request_id(scope))
            response = answer_problem(problem, request)
        cookie = cookie_to_set(scope)
        if cookie is not None:  # also when the stream isn't open yet: the ticket is spent
            response.headers.append("Set-Cookie", cookie)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept.choose(request.headers.get("accept"), ["text/event-stream"])
        cursor = _cursor(request)
        start = None if cursor is not None else _from(request)
        cancel = cancels_on_disconnect(request)
        permission = Permission.CHANGE if cancel else Permission.READ
        task_id = await self._access.task(
            principal_of(request.scope), request.path_params["task_id"], permission
        )
        self._streams.admit()
        position = await self._start(task_id, start) if cursor is None else cursor
        located = await self._locate(task_id, position)
        if request.method == "GET":
            metrics.located(located, fresh=cursor is None)
        if located.ended and located.notice is None:
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        if located.ended or request.method == "HEAD":
            return StreamResponse(self._streams, task_id, located, cancel=cancel)
        async with self._streams.reserve(principal_of(request.scope)) as place:
            return StreamResponse(self._streams, task_id, located, cancel=cancel, place=place)

    async def _locate(self, task_id: str, cursor: EventId) -> Located:
        try:
            return await self._streams.locate(task_id, cursor)
        except TaskNotFound:
            if not self._streams.settling(task_id):
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
