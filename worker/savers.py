"""Savers: where checkpoints are kept, as TASKREEL_CHECKPOINTS says. Packages are imported when asked for.

Only checkpoints in Redis are fenced, made again after a restart, thinned out and deleted in time, and only
they wait for a server that is away: with another saver a graph fails then.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn

from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from events.durability import Durability
from events.errors import SettingsError
from events.keys import Keys
from events.settings import Settings
from worker.checkpoint import RedisSaver
from worker.journal import Journal
from worker.serde import StrictSerializer
from worker.stored import telling

Saver = BaseCheckpointSaver[Any]
Opened = AbstractAsyncContextManager[Saver]

SYNTAX = "redis, sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE or module:attr"

EXTRAS = {"sqlite": "sqlite", "postgresql": "postgres", "postgres": "postgres"}
"""What to install for which kind of URL."""

_POSTGRES = re.compile(r"postgres(ql)?://([^@/?#]*@)?[^@/?#]*([/?][^@]*)?")
"""With the user's part closed off: of a password with an unquoted @ or /, an error would show the rest."""

CONNECT_SECONDS = 10
"""How long a database may take to answer when the worker starts."""

LOCKED_SECONDS = 30
"""How long a write waits while another worker writes to the same SQLite file."""

_SETUP_LOCK = 0x7A5C_4EE1
"""The advisory lock of workers that make the tables in Postgres; any number that nobody else uses."""


@contextlib.asynccontextmanager
async def open_saver(settings: Settings, redis: Redis, keys: Keys, journal: Journal) -> AsyncGenerator[Saver]:
    """The saver that the settings name, set up and ready.

    Args:
        settings: their `checkpoints` says which.
        redis: for checkpoints in Redis; its new connections call `journal.redo`.
        keys: what they are called there.
        journal: what the saver in Redis wrote of late.

    Raises:
        SettingsError: one line: the setting is wrong, a package is missing, or the database can't be used.
    """
    kind = settings.checkpoints.partition(":")[0]
    async with contextlib.AsyncExitStack() as stack:
        try:
            saver = await stack.enter_async_context(_choose(settings, redis, keys, journal))
        except SettingsError:
            raise
        except ImportError as error:
            needed = f"install taskreel[{EXTRAS[kind]}]" if kind in EXTRAS else _first_line(error)
            _refuse(kind, f"a package is missing: {needed}")
        except Exception as error:
            _refuse(kind, _reason(error))
        if not isinstance(saver, BaseCheckpointSaver):  # pyright: ignore[reportUnnecessaryIsInstance]
            _refuse(kind, f"it gives a {type(saver).__name__}, not a checkpoint saver")
        yield telling(saver)


async def take_thread(saver: Saver, thread_id: str, task_id: str, attempt: int) -> None:
    """Keep older attempts from writing on a thread, where the saver can.

    Raises:
        Fenced: a newer attempt has opened.
    """
    if isinstance(saver, RedisSaver):
        await saver.open(thread_id, task_id, attempt)


async def tidy_thread(saver: Saver, thread_id: str) -> None:
    """Thin out the checkpoints of a thread whose task has ended; nothing is lost when that fails.

    Other savers' are kept: theirs can't, or not while another task may begin.
    """
    if isinstance(saver, RedisSaver):
        await saver.tidy(thread_id)


def _choose(settings: Settings, redis: Redis, keys: Keys, journal: Journal) -> Opened:
    setting = settings.checkpoints
    if setting == "redis":
        durability = Durability(settings.durability, settings.durability_replicas)
        ttl_seconds = settings.retention_seconds
        saver = RedisSaver(redis, keys, ttl_seconds=ttl_seconds, journal=journal, durability=durability)
        return contextlib.nullcontext(saver)
    if setting.startswith("sqlite:///") and len(setting) > len("sqlite:///"):
        return _sqlite(setting.removeprefix("sqlite:///"))
    if _POSTGRES.fullmatch(setting):
        return _postgres(setting)
    module, colon, attribute = setting.partition(":")
    if colon and all(part.isidentifier() for part in [*module.split("."), attribute]):
        factory: Callable[[Settings], Opened] = getattr(importlib.import_module(module), attribute)
        return factory(settings)
    raise SettingsError(f"TASKREEL_CHECKPOINTS is wrong. It takes: {SYNTAX}")


@contextlib.asynccontextmanager
async def _sqlite(path: str) -> AsyncGenerator[Saver]:
    aio = importlib.import_module("langgraph.checkpoint.sqlite.aio")
    # Fails here if at all: aiosqlite would leave a thread behind, which reports to a loop that may be gone.
    sqlite3.connect(path).close()
    async with aio.aiosqlite.connect(path, timeout=LOCKED_SECONDS) as connection:
        saver = aio.AsyncSqliteSaver(connection, serde=StrictSerializer())
        await _set_up_in_turn(saver)
        yield saver


async def _set_up_in_turn(saver: Any) -> None:
    """Make the tables. When it turns its journal on, SQLite doesn't wait for another worker."""
    async with asyncio.timeout(LOCKED_SECONDS):
        while True:
            try:
                return await saver.setup()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def _postgres(url: str) -> AsyncGenerator[Saver]:
    aio = importlib.import_module("langgraph.checkpoint.postgres.aio")
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": aio.dict_row}
    connecting = {**options, "connect_timeout": CONNECT_SECONDS}
    async with await aio.AsyncConnection.connect(url, **connecting) as connection:
        await _set_up_alone(connection, aio.AsyncPostgresSaver(connection, serde=StrictSerializer()))
    # One saver has one query under way at a time. The spare connection is for when the first has broken.
    check = aio.AsyncConnectionPool.check_connection
    pool = aio.AsyncConnectionPool(url, kwargs=options, min_size=1, max_size=2, check=check, open=False)
    async with pool:
        yield aio.AsyncPostgresSaver(pool, serde=StrictSerializer())


async def _set_up_alone(connection: Any, saver: Any) -> None:
    """Make the tables, one worker at a time; else two that start together stumble over each other.

    The lock is tried and not waited for: indexes made CONCURRENTLY wait for everybody who waits in a query.
    """
    while not await _ask(connection, "SELECT pg_try_advisory_lock(%s) AS it"):  # noqa: ASYNC110  # none to set
        await asyncio.sleep(0.1)
    await saver.setup()
    await _ask(connection, "SELECT pg_advisory_unlock(%s) AS it")


async def _ask(connection: Any, query: str) -> bool:
    row = await (await connection.execute(query, (_SETUP_LOCK,))).fetchone()
    return row["it"]


def _refuse(kind: str, reason: str) -> NoReturn:
    """Say why, and of the setting no more than its beginning: it may hold a password."""
    raise SettingsError(f"TASKREEL_CHECKPOINTS={kind}:... cannot be used: {reason}") from None


def _reason(error: Exception) -> str:
    # What psycopg says of a URL that it can't read may repeat parts of it.
    if type(error).__name__ == "ProgrammingError":
        return f"the URL is wrong. It takes: {SYNTAX}"
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return inspect.cleandoc(str(error)).partition("\n")[0]
