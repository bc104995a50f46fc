"""What Redis's users may not do."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from events.connect import connect
from events.keys import Keys
from events.log import EventLog
from tests.redis.users import as_user
from tests.support.pods import RunningPod
from tests.support.server import Server
from tests.support.tasks import until_status


@pytest.mark.usefixtures("worker")
async def test_a_pod_cannot_claim(pod: RunningPod, server: Server, admin: Redis) -> None:
    """Neither by the script nor by the commands that are in it; nothing is written."""
    task_id = await pod.submit("asking")
    await until_status(pod, task_id, "waiting")
    await pod.client.post(f"/tasks/{task_id}/cancel")
    log = EventLog(connect(server.url("api")), Keys())
    for to_end in (False, True):
        with pytest.raises(NoPermissionError):
            await log.claim(task_id, "pod", worker="pod", lease_ms=60_000, to_end=to_end)
    await log.redis.aclose()
    lease = Keys().lease(task_id)
    for words in (("SET", lease, "pod"), ("EVAL", "return redis.call('SET', KEYS[1], '1')", 1, lease)):
        with pytest.raises(NoPermissionError):
            await as_user(server, "api", *words)
    assert await admin.get(lease) not in (b"pod", b"1")  # a worker has it as it ends the task


LOG, LEASE, POINTS = "taskreel:acme:{a}:log", "taskreel:acme:{a}:lease", "taskreel:acme:{a}:cp"

REFUSED = {
    "api": [
        ("DEL", LOG), ("UNLINK", LOG), ("SET", LOG, "1"), ("EXPIRE", LOG, 0), ("XTRIM", LOG, "MAXLEN", 0),
        ("XDEL", LOG, "0-1"), ("RENAME", LOG, "taskreel:acme:{b}:log"), ("GET", POINTS), ("ZCARD", POINTS),
        ("HSET", "taskreel:keys", "id", "{}"), ("HSET", "taskreel:graphs", "g", "{}"), ("SET", LEASE, "1"),
        ("SET", "taskreel:deadlines", "1"), ("ZREM", "taskreel:deadlines", "acme/a"), ("GET", "other:key"),
    ],
    "worker": [
        ("DEL", LOG), ("SET", LOG, "1"), ("XTRIM", LOG, "MAXLEN", 0), ("HGETALL", "taskreel:keys"),
        ("GET", "taskreel:secret"), ("HSET", "taskreel:keys", "id", "{}"), ("GET", "other:key"),
        ("PUBLISH", "taskreel:keys-bell", "id"), ("SET", "taskreel:acme:idempotency:a:b", "1"),
    ],
    "queue": [
        ("XRANGE", LOG, "-", "+"), ("HGETALL", "taskreel:acme:{a}:task"), ("XADD", LOG, "9-9", "type", "x"),
        ("GET", LEASE), ("ZRANGE", "taskreel:deadlines", 0, -1), ("EVAL", "return 1", 0),
        ("SUBSCRIBE", "taskreel:acme:bell:a"),
    ],
    "ops": [
        ("XADD", LOG, "9-9", "type", "x"), ("DEL", LOG), ("SET", LEASE, "1"), ("EVAL", "return 1", 0),
        ("DEL", "taskreel:keys"), ("HSET", "taskreel:acme:{a}:task", "subject", "me"),
    ],
}  # fmt: skip

NOBODYS = [
    ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "GET", "*"), ("SHUTDOWN",),
    ("DEBUG", "SLEEP", "0"), ("REPLICAOF", "NO", "ONE"), ("MODULE", "LIST"), ("KEYS", "*"), ("ACL", "LIST"),
    ("MONITOR",), ("SAVE",), ("SWAPDB", "0", "1"), ("SCRIPT", "FLUSH"), ("CLIENT", "KILL", "TYPE", "normal"),
    ("PSUBSCRIBE", "*"), ("MIGRATE", "127.0.0.1", "1", "x", "0", "1"), ("CLUSTER", "RESET"),
    ("EVAL", "return redis.call('FLUSHALL')", 0),
]  # fmt: skip


async def test_users_are_refused_what_is_not_their_work(server: Server) -> None:
    """Logs can't be deleted, records of API keys not be made, and nobody rules the server itself."""
    assert REFUSED.keys() == {"api", "worker", "queue", "ops"}
    for user, theirs in REFUSED.items():
        for words in [*theirs, *NOBODYS]:
            with pytest.raises((NoPermissionError, ResponseError), match=NOT_ALLOWED):
                pytest.fail(f"{user}: {words}: {await as_user(server, user, *words)}")


NOT_ALLOWED = r"permission|can't run this command"
"""What is said to a command, and to a script within which it is refused (in Redis and Valkey)."""


@pytest.mark.parametrize("url", ["", "default:default@"])
async def test_who_names_no_user_is_nobody(server: Server, url: str) -> None:
    """The user `default`, as whom everybody begins, is off."""
    client: Any = connect(server.url().replace("//", f"//{url}"))
    with pytest.raises((AuthenticationError, ResponseError)):
        await client.ping()
    await client.aclose()
