"""What an event costs a busy Redis: writing it, and each pod that reads it, when nobody gathers anything.

Fifty writers, on a connection each, write one event at a time, which is one MULTI with an XADD and a PUBLISH.
A pod hears the bells and asks with an XREAD for each, in one buffer, as pods do on a Cluster, where an XREAD
can't ask for tasks of several slots.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

import hiredis

from bench import system
from bench.figures import Figure, Finding
from bench.measured import Measured
from bench.scaling.stand import measured_redis
from events.keys import Keys
from events.wire import pack

WRITERS = 50
ROUNDS = 1_000
QUICK_ROUNDS = 100
PODS = 4

_TASK = "01938e5e-0000-7000-8000-{:012x}"
_DOCUMENT = b'{"seq":%d,"attempt":1,"type":"progress","ts":"2026-11-21T00:00:00.000Z","data":{"text":"%b"}}'
_TEXT = b"x" * 150


def measure(quick: bool) -> list[Finding]:
    """The same events, read by nobody and by four pods."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    alone, followed = (_cost(rounds, pods) for pods in (0, PODS))
    note = f"{rounds * WRITERS:,} events by {WRITERS} writers"
    return [
        Figure("scaling: an event written, CPU of Valkey", alone, "µs", None, note),
        Figure("scaling: an event read by a pod, CPU of Valkey", (followed - alone) / PODS, "µs", None, note),
    ]


class _Talk:
    """One connection, on which so many replies are waited for."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = hiredis.Reader(notEnoughData=...)

    def say(self, data: bytes) -> None:
        """Send commands."""
        self._socket.sendall(data)

    def hear(self, count: int) -> None:
        """Wait for so many replies.

        Raises:
            ValueError: one is an error.
        """
        while count:
            reply = self._replies.gets()
            if reply is ...:
                self._replies.feed(self._socket.recv(2**18))
            elif isinstance(reply, Exception):
                raise ValueError(f"Redis said: {reply}")
            else:
                count -= 1

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _cost(rounds: int, pods: int) -> float:
    """Valkey's CPU time an event, in µs."""
    with system.valkey() as port, contextlib.ExitStack() as stack:

        def connect() -> _Talk:
            return stack.enter_context(contextlib.closing(_Talk(port)))

        keys = Keys()
        tasks = [_TASK.format(number) for number in range(WRITERS)]
        writers = [connect() for _ in tasks]
        followers = [(connect(), connect()) for _ in range(pods)]
        for bells, _ in followers:
            bells.say(pack(("SUBSCRIBE", *map(keys.bell, tasks))))
            bells.hear(WRITERS)
        redis: Measured = measured_redis(port)
        before = redis.cpu_seconds()
        for number in range(1, rounds + 1):
            _write(keys, tasks, writers, number)
            for bells, reads in followers:
                bells.hear(WRITERS)
                reads.say(b"".join(_read(keys, task, number - 1) for task in tasks))
                reads.hear(WRITERS)
        return (redis.cpu_seconds() - before) * 1e6 / rounds / WRITERS


def _write(keys: Keys, tasks: Sequence[str], writers: Sequence[_Talk], number: int) -> None:
    for task, writer in zip(tasks, writers, strict=True):
        event_id, document = b"1-%d" % number, _DOCUMENT % (number, _TEXT)
        add = pack(("XADD", keys.log(task), event_id, "type", "progress", "event", document))
        bell = pack(("PUBLISH", keys.bell(task), event_id))
        writer.say(pack(("MULTI",)) + add + bell + pack(("EXEC",)))
    for writer in writers:
        writer.hear(4)


def _read(keys: Keys, task: str, last: int) -> bytes:
    return pack(("XREAD", "COUNT", "1000", "STREAMS", keys.log(task), b"1-%d" % last))
