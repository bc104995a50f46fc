"""Following a task's stream: one connection after another, and to the reader one series of events."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

import httpx
from httpx_sse import EventSource, ServerSentEvent, aconnect_sse

from cli.answers import SILENCE, broken_off, check
from cli.backoff import Backoff
from cli.failures import Passing, Unreachable
from cli.history import History
from cli.pods import Pods
from cli.wire import Event, Notice, OnNotice, check_cursor, event_id, load_event, task_path
from events.model import TERMINAL

HEALTHY_SECONDS = 5.0
"""A connection that was open for so long was a good one, even if nothing came."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long a follower waits.

    Attributes:
        answer: seconds for a stream to begin.
        stream: for a connection, and for each next piece of a stream.
        patience: seconds that it goes on looking for a pod once it has lost one.
    """

    answer: float
    stream: httpx.Timeout
    patience: float


class Follow(AsyncIterator[Event]):
    """The events of a task after a cursor, as they come, up to and including the terminal one.

    It reconnects by itself, to the next pod if there is one, and goes on after the last event it gave. When a
    stream is silent, not even a heartbeat, it asks for the history: a proxy on the way may keep back what it
    should pass on. Close it (`async with`, or `aclose`) when you stop before its end.

    Attributes:
        cursor: id of the last event given, or where a rewound log goes on; None at the start.

    Raises (while iterating):
        Refused: 404 `task_not_found`, 410 `log_expired`, 400 `invalid_cursor`, or what else is final.
        Unreachable: no pod answers at first, or none has for as long as the client's patience.
        BadAnswer: what answers is no Taskreel pod.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        pods: Pods,
        task_id: str,
        times: Times,
        *,
        after: str | None = None,
        on_notice: OnNotice | None = None,
    ) -> None:
        self.cursor = check_cursor(after)
        self._http = http
        self._pods = pods
        self._path = task_path(task_id)
        self._tell = on_notice or _ignore
        self._times = times
        self._backoff = Backoff(len(pods))
        self._connected_at: float | None = None
        self._lost_at: float | None = None
        self._farewell = False
        self._events = self._run()

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event]:
        while True:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        yield event
                return
            except Passing as trouble:
                if trouble.silent:
                    async with aclosing(self._kept_back()) as events:
                        async for event in events:
                            yield event
                            if event.get("type") in TERMINAL:
                                return
                await self._wait(trouble)

    async def _kept_back(self) -> AsyncGenerator[Event]:
        """What history has and a silent stream didn't bring, by the next pod that answers."""
        self._pods.advance()
        history = History(self._http, self._pods, f"{self._path}/events", {})
        with contextlib.suppress(Unreachable):
            async with aclosing(history.read(self.cursor)) as events:
                async for event in events:
                    self.cursor = event_id(event)
                    yield event
            self._recover()

    async def _connection(self) -> AsyncGenerator[Event]:
        """The events of one connection. It returns only when the log is at its end."""
        headers = {"Last-Event-ID": self.cursor} if self.cursor else {}
        url = f"{self._pods.current}{self._path}/stream"
        self._connected_at, self._farewell = None, False
        with broken_off():
            async with self._begun(url, headers) as source:
                if source.response.status_code == 204:
                    return
                await check(source.response, "text/event-stream")
                self._connected()
                async with aclosing(self._decoded(source)) as events:
                    async for event in events:
                        yield event
                        if event.get("type") in TERMINAL:
                            return
        raise Passing("it ended the stream", self._backoff.retry if self._farewell else None)

    @contextlib.asynccontextmanager
    async def _begun(self, url: str, headers: dict[str, str]) -> AsyncGenerator[EventSource]:
        """A stream whose head has come."""
        asked = aconnect_sse(self._http, "GET", url, headers=headers, timeout=self._times.stream)
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._times.answer):
                    source = await stack.enter_async_context(asked)
            except TimeoutError:
                raise Passing(SILENCE, silent=True) from None
            self._pods.reached = True
            yield source

    async def _decoded(self, source: EventSource) -> AsyncGenerator[Event]:
        async with aclosing(source.aiter_sse()) as frames:
            async for frame in frames:
                event = self._decode(frame)
                if event is not None:
                    yield event

    def _decode(self, frame: ServerSentEvent) -> Event | None:
        """The event in a frame, if it is one of the log's; others are acted upon here."""
        if frame.retry is not None:
            self._backoff.ask(frame.retry)
            self._farewell = True  # if nothing follows it
        if not frame.data:
            return None
        content = load_event(frame.data)
        self._farewell = False
        self._recover()
        self.cursor = frame.id or self.cursor
        if frame.event.startswith("stream."):
            self._tell(Notice(frame.event, content))
            return None
        return content

    def _connected(self) -> None:
        self._connected_at = time.monotonic()
        if self._lost_at is not None:
            self._tell(Notice("connection.back", {"url": self._pods.current, "cursor": self.cursor}))

    def _recover(self) -> None:
        self._backoff.succeed()
        self._lost_at = None

    async def _wait(self, trouble: Passing) -> None:
        """Wait until it's time to try the next pod. Raises the failure when that's no use any more."""
        now = time.monotonic()
        if self._connected_at is not None and now - self._connected_at > HEALTHY_SECONDS:
            self._recover()
        self._lost_at = self._lost_at or now
        seconds = self._backoff.fail(trouble.asked)
        if self._is_hopeless(now + seconds - self._lost_at):
            raise self._pods.final(trouble) from trouble
        data = {"url": self._pods.current, "reason": str(trouble), "retry_in": round(seconds, 3)}
        self._tell(Notice("connection.lost", data))
        if not trouble.silent:  # then history went on to a pod that answers
            self._pods.advance()
        await asyncio.sleep(seconds)

    def _is_hopeless(self, seconds: float) -> bool:
        """Whether a loss that will have lasted for so long is to be given up."""
        whole_round = self._backoff.failures >= len(self._pods)
        return seconds > self._times.patience or (whole_round and not self._pods.reached)


def _ignore(_: Notice) -> None:
    pass
