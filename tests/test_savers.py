"""Checkpoints are kept where TASKREEL_CHECKPOINTS says, and a takeover finds them there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from redis.asyncio import Redis

from events.errors import Fenced, SettingsError
from events.keys import Keys
from events.settings import Settings
from tests.support.checkpoints import checkpoint, ids, put, thread
from tests.support.pods import RunningPod, running_worker
from tests.support.server import free_port
from tests.support.system import command
from tests.support.waiting import wait_until
from worker.checkpoint import RedisSaver
from worker.journal import Journal
from worker.savers import Saver, open_saver, take_thread, tidy_thread

SPEC = "two_steps=tests.support.graphs:two_steps"


@contextlib.asynccontextmanager
async def opened(settings: Settings, redis: Redis, keys: Keys, where: str) -> AsyncGenerator[Saver]:
    """The saver of a worker with that setting."""
    chosen = settings.model_copy(update={"checkpoints": where})
    async with open_saver(chosen, redis, keys, Journal()) as saver:
        yield saver


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A setting that names a file of its own."""
    return f"sqlite:///{tmp_path}/checkpoints.db"


@pytest.fixture(scope="module")
def postgres() -> Generator[str]:
    """A setting that names a server of its own, if Postgres is installed here."""
    here = Path(shutil.which("postgres") or "")
    found = [here, *sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))]
    if not found[-1].is_file():
        pytest.skip("there is no Postgres server here")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        user = "nobody" if os.geteuid() == 0 else None  # Postgres doesn't run as root
        tools, port = found[-1].parent, free_port()
        make = [tools / "initdb", "-D", f"{folder}/data", "-U", "taskreel", "--auth=trust", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, user=user, cwd=folder)
        serve = [found[-1], "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        with (
            open(f"{folder}/log", "wb") as log,
            subprocess.Popen(serve, stderr=log, user=user, cwd=folder) as server,
        ):
            try:
                ready = [tools / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "20"]
                while subprocess.run(ready).returncode:
                    assert server.poll() is None, Path(f"{folder}/log").read_text()
                    time.sleep(0.05)
                yield f"postgresql://taskreel:secret@127.0.0.1:{port}/postgres"
            finally:
                server.terminate()


@pytest.fixture(params=["redis", "sqlite", "postgres"])
def where(request: pytest.FixtureRequest) -> str:
    """Each setting that needs no module of one's own."""
    return "redis" if request.param == "redis" else request.getfixturevalue(request.param)


async def test_a_takeover_finds_the_checkpoint_of_a_killed_worker(
    settings: Settings, pod: RunningPod, redis: Redis, keys: Keys, where: str
) -> None:
    """The second of two nodes runs when its worker is killed; another one runs that again, and only that."""
    chosen = settings.model_copy(update={"checkpoints": where})
    environment = {
        **os.environ,
        "TASKREEL_REDIS_URL": settings.redis_url,
        "TASKREEL_KEY_PREFIX": settings.key_prefix,
        "TASKREEL_LEASE_SECONDS": str(settings.lease_seconds),
        "TASKREEL_CHECKPOINTS": where,
        "TASKREEL_GRAPHS": SPEC,
    }
    killed = await asyncio.create_subprocess_exec(*command("worker"), env=environment)
    try:
        await wait_until(lambda: _listed(pod))
        task_id = await pod.submit("two_steps", input={"count": 20, "pause": 0.1})
        seen = await pod.stream(task_id, most=6)
    finally:
        killed.kill()
        await killed.wait()
    assert [event.event for event in seen[3:]] == ["node.completed", "node.started", "progress"]
    async with running_worker(chosen, [SPEC]):
        events = [event.json() for event in await pod.stream(task_id)]
    started = [(event["node"], event["attempt"]) for event in events if event["type"] == "node.started"]
    assert started == [("first", 1), ("second", 1), ("second", 2)]
    assert events[-1]["type"] == "task.succeeded"
    there = await RedisSaver(redis, keys, ttl_seconds=60).aget_tuple(thread(task_id))
    assert (there is not None) == (where == "redis")


async def _listed(pod: RunningPod) -> bool:
    return "two_steps" in (await pod.client.get("/graphs")).text


async def test_each_saver_rebuilds_harmless_objects_only(
    settings: Settings, redis: Redis, keys: Keys, where: str, tmp_path: Path
) -> None:
    """A value that runs a command where it's read carelessly comes back as data."""
    call = ormsgpack.packb(("os", "system", f"touch {tmp_path}/ran"))
    gadget = ormsgpack.packb(ormsgpack.Ext(0, call))
    async with opened(settings, redis, keys, where) as saver:
        assert saver.serde.loads_typed(("msgpack", gadget)) != 0
        with pytest.raises(ValueError, match="is refused"):
            saver.serde.loads_typed(("pickle", b""))
        clone = saver.with_allowlist({("tests.test_savers", "Nothing")})
        assert clone.serde.loads_typed(("msgpack", gadget)) != 0
    assert not (tmp_path / "ran").exists()


async def test_workers_that_start_together_make_the_tables_once(
    settings: Settings, redis: Redis, keys: Keys, where: str
) -> None:
    """And each sees what another has stored."""
    async with contextlib.AsyncExitStack() as stack:
        opening = [opened(settings, redis, keys, where) for _ in range(4)]
        savers = await asyncio.gather(*map(stack.enter_async_context, opening))
        thread_id = keys.prefix
        new, at = checkpoint(value=1), thread(thread_id, checkpoint_ns="")
        await savers[0].aput(at, new, {"source": "loop"}, new["channel_versions"])
        for saver in savers:
            found = await saver.aget_tuple(thread(thread_id))
            assert found is not None
            assert found.checkpoint["channel_values"] == {"value": 1}


async def test_only_redis_fences_and_thins_out(
    settings: Settings, redis: Redis, keys: Keys, sqlite: str
) -> None:
    """With another saver both do nothing."""
    async with opened(settings, redis, keys, sqlite) as saver:
        await take_thread(saver, "t", "task", 1)
        await tidy_thread(saver, "t")
    async with opened(settings, redis, keys, "redis") as saver:
        assert isinstance(saver, RedisSaver)
        for number in range(3):
            await put(saver, "t", value=number)
        await tidy_thread(saver.with_allowlist({("a", "b")}), "t")
        assert len(await ids(saver, thread("t"))) == 1
        await take_thread(saver, "t", "task", 2)
        with pytest.raises(Fenced):
            await take_thread(saver, "t", "task", 1)


@contextlib.asynccontextmanager
async def my_saver(settings: Settings) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """A saver of somebody's own."""
    assert settings.checkpoints.endswith("my_saver")
    yield InMemorySaver()


@contextlib.asynccontextmanager
async def no_saver(_: Settings) -> AsyncGenerator[str]:
    """Not a saver at all."""
    yield "saver"


async def test_a_saver_of_ones_own(settings: Settings, redis: Redis, keys: Keys) -> None:
    """Named by its module, like a graph."""
    async with opened(settings, redis, keys, "tests.test_savers:my_saver") as saver:
        assert isinstance(saver, InMemorySaver)


WRONG = {
    "mysql://u:secret@h/d": r"is wrong\. It takes: redis, sqlite:///PATH",
    "sqlite:///": "is wrong",
    "sqlite:///no/such/folder/x.db": "cannot be used: OperationalError: unable to open database file",
    "postgresql://u:secret@127.0.0.1:1/d": "cannot be used: OperationalError: connection failed",
    "postgresql://u:p@secret@h/d": "is wrong",
    "postgresql://u:p/secret@h/d": "is wrong",
    "postgresql://u@h/d?secret=1": "the URL is wrong",
    "no_such_module:attr": "a package is missing: No module named 'no_such_module'",
    "tests.test_savers:nothing": "cannot be used: AttributeError: module .* has no attribute 'nothing'",
    "tests.test_savers:no_saver": "it gives a str, not a checkpoint saver",
}


@pytest.mark.parametrize("setting", WRONG)
async def test_a_setting_that_cannot_be_used_is_told_in_one_line(
    settings: Settings, redis: Redis, keys: Keys, setting: str
) -> None:
    """It names the variable, and never a password."""
    with pytest.raises(SettingsError, match=WRONG[setting]) as caught:
        async with opened(settings, redis, keys, setting):
            pass
    assert str(caught.value).startswith("TASKREEL_CHECKPOINTS")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(settings.model_copy(update={"checkpoints": setting}))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_missing_package_is_named(
    settings: Settings, redis: Redis, keys: Keys, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the extra that brings it."""
    monkeypatch.setitem(sys.modules, f"langgraph.checkpoint.{kind}.aio", None)
    with pytest.raises(SettingsError, match=rf"install taskreel\[{kind}\]$"):
        async with opened(settings, redis, keys, f"{kind}:///x"):
            pass


async def test_what_fails_while_a_saver_is_open_is_not_its_fault(
    settings: Settings, redis: Redis, keys: Keys, sqlite: str
) -> None:
    """It's raised as it is."""
    error: Any = ValueError("something else")
    with pytest.raises(ValueError, match="something else"):
        async with opened(settings, redis, keys, sqlite):
            raise error
