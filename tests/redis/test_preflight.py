"""A Redis that isn't fit for a log is told of at the start, in one line; one that is away is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from redis import Redis

from events import preflight
from events.errors import SettingsError
from events.settings import Settings
from tests.chaos.process import process
from tests.redis.servers import guarded_server
from tests.redis.users import settings_of
from tests.support.graphs import SPECS
from tests.support.listening import listening, port_of
from tests.support.server import Server, free_port, server
from tests.support.system import command
from tests.support.waiting import wait_until

WRONG_SETTING = 2


@pytest.fixture(params=["valkey", "redis"])
def forgetful(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that throws away what was long unused."""
    with server(request.param, "--maxmemory-policy", "allkeys-lru") as it:
        yield it


def test_a_redis_that_evicts_is_refused_unless_it_is_wanted(forgetful: Server) -> None:
    """It could take the log of a running task; the line says what to set, and where."""
    with pytest.raises(SettingsError) as refused:
        preflight.check(settings_of(forgetful), "api")
    line = str(refused.value)
    assert all(word in line for word in ("allkeys-lru", "noeviction", "TASKREEL_ALLOW_EVICTION=true"))
    assert "\n" not in line
    preflight.check(settings_of(forgetful, allow_eviction=True), "api")


def test_the_users_of_others_are_refused(tmp_path: Path) -> None:
    """A worker that goes as `api` is told what it lacks; so is one with a wrong password."""
    more = "user tickets on >tickets +@all ~tickets:*"
    with guarded_server("valkey", tmp_path, more) as it:
        preflight.check(settings_of(it, "worker"), "worker")
        preflight.check(settings_of(it, "api", queue_url=it.url("queue")), "api")
        with pytest.raises(SettingsError, match=r"TASKREEL_REDIS_URL: its user may not HDEL taskreel:graphs"):
            preflight.check(settings_of(it, "api"), "worker")
        with pytest.raises(SettingsError, match=r"TASKREEL_QUEUE_URL: its user may not ZCARD taskreel:queue"):
            preflight.check(settings_of(it, "api", queue_url=it.url("tickets")), "api")
        with Redis.from_url(it.url("tickets")) as anybody:  # as in the file of an earlier version
            anybody.acl_setuser(
                "worker", enabled=True, commands=["-scan"]
            )  # as in the file of an earlier version
        with pytest.raises(SettingsError, match=r"TASKREEL_REDIS_URL: its user may not SCAN 0: "):
            preflight.check(settings_of(it, "worker"), "worker")


def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    """It isn't taken for a Redis that is away, which would be waited for."""
    with guarded_server("valkey", tmp_path) as it:
        wrong = it.url("api").replace(":api@", ":wrong@")
        with pytest.raises(SettingsError, match="TASKREEL_REDIS_URL: Redis doesn't let this user in"):
            preflight.check(Settings(redis_url=wrong), "api")


def test_a_user_that_may_not_ask_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without INFO nobody can tell the policy; that's said, and the process begins."""
    users = tmp_path / "users.acl"
    users.write_text("user default on nopass ~* &* +@all -info\n")
    with server("valkey", "--aclfile", str(users), "--maxmemory-policy", "allkeys-lru") as it:
        preflight.check(settings_of(it), "api")
    assert "may not INFO" in caplog.text


@contextlib.asynccontextmanager
async def old_redis() -> AsyncGenerator[Settings]:
    """Something that answers as a Redis 6.2 does, as far as it's asked here."""
    info = b"# Server\r\nredis_version:6.2.14\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while words := await reader.read(4096):
            told = {b"INFO": b"$%d\r\n%s\r\n" % (len(info), info), b"SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n"}
            writer.write(next((reply for word, reply in told.items() if word in words), b":0\r\n"))

    async with listening(serve) as server:
        yield Settings(redis_url=f"redis://127.0.0.1:{port_of(server)}/0")


async def test_an_old_redis_is_refused() -> None:
    """It knows no scripts that may go beyond its memory."""
    async with old_redis() as settings:
        with pytest.raises(SettingsError, match=r"this is Redis 6.2.14; it takes Redis 7 or newer"):
            await asyncio.to_thread(preflight.check, settings, "worker")


@pytest.mark.parametrize("kind", ["api", "worker"])
def test_a_process_ends_with_one_line(forgetful: Server, kind: str) -> None:
    """Its status tells a supervisor that starting it again is no use."""
    words = [kind, *(["--port", str(free_port())] if kind == "api" else [])]
    environment = {"TASKREEL_REDIS_URL": forgetful.url(), "PATH": os.environ["PATH"]}
    done = subprocess.run(command(*words), env=environment, capture_output=True, text=True)
    assert done.returncode == WRONG_SETTING
    (line,) = done.stderr.splitlines()
    assert "allkeys-lru" in line


async def test_a_redis_that_comes_later_is_looked_at_then() -> None:
    """The process waits meanwhile, and ends if that Redis isn't fit."""
    port = free_port()
    environment = {"TASKREEL_REDIS_URL": f"redis://127.0.0.1:{port}/0", "TASKREEL_GRAPHS": SPECS[0]}
    with process("worker", command("worker"), environment) as it:
        await wait_until(lambda: "it is looked at when it comes" in it.output())
        with server("valkey", "--maxmemory-policy", "volatile-ttl", port=port):
            await wait_until(lambda: not it.running)
        assert "its maxmemory-policy is volatile-ttl" in it.output()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://user:secret@redis.example.com:6379/0", True),
        ("rediss://user:secret@redis.example.com:6379/0", False),
        ("redis://redis.example.com:6379/0", False),
        ("redis://user:secret@127.0.0.1:6379/0", False),
        ("redis://user:secret@[::1]:6379/0", False),
        ("redis://user:secret@localhost/0", False),
        ("redis://:secret@10.0.0.7/0", True),
    ],
)
def test_a_password_in_the_clear_is_told(url: str, told: bool) -> None:
    """Unless it stays on this machine."""
    assert preflight.plain_passwords(Settings(redis_url=url)) == ["TASKREEL_REDIS_URL"] * told
    assert preflight.plain_passwords(Settings(queue_url=url)) == ["TASKREEL_QUEUE_URL"] * told
