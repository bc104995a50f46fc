"""What `taskreel keys` does, once its arguments are understood. Each gives an exit status."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError

from cli.embedded import StackError, running_url
from cli.output import abandon, put, say
from cli.tables import aligned
from cli.text import json_line
from events.apikeys import KeyDirectory, KeyRecord, split_key
from events.connect import RedisError, connect
from events.errors import SettingsError
from events.keys import Keys
from events.model import now_ms
from events.servers.urls import shown
from events.settings import load

FAILED = 3

Use = Callable[[KeyDirectory], Awaitable[int]]

_SECRET = {"hash"}


def declare(key: str, record: KeyRecord, *, as_json: bool) -> int:
    """Print a key, and its record for the setting that declares it. Nothing is stored."""
    if as_json:
        put(json_line({"key": key, "record": record.model_dump(mode="json")}))
    else:
        put(key)
        put(json_line(record.model_dump(mode="json")))
        say("the key, shown this once, and its record, for the JSON array in TASKREEL_API_KEYS")
    return 0


def add(key: str, record: KeyRecord, *, as_json: bool) -> Use:
    """Store a key's record, and print the key."""

    async def use(directory: KeyDirectory) -> int:
        await directory.add(record)
        put(json_line({"key": key, **_public(record)}) if as_json else key)
        ends = f"until {_expiry(record)}" if record.expires_at else "until it is revoked"
        about = f"{record.role} key {record.id} of {record.name!r}, tenant {record.tenant!r}, {ends}"
        say(f"{about}. It is shown this once; send it as `Authorization: Bearer`, or set TASKREEL_TOKEN")
        return 0

    return use


def ls(tenant: str | None, *, as_json: bool) -> Use:
    """List what is known of the keys."""

    async def use(directory: KeyDirectory) -> int:
        records = [one for one in await directory.all() if tenant in (None, one.tenant)]
        if as_json:
            for record in records:
                put(json_line(_public(record)))
        else:
            headings = ["id", "tenant", "name", "role", "created", "expires"]
            put(aligned(headings, [_cells(record) for record in records]))
        return 0

    return use


def revoke(key_id: str) -> Use:
    """Have a key be none."""

    async def use(directory: KeyDirectory) -> int:
        parts = split_key(key_id)  # somebody has only the key at hand
        if await directory.revoke(parts[0] if parts else key_id):
            put("revoked")
            return 0
        say("there is no such key in Redis: `taskreel keys ls` lists those there are")
        return FAILED

    return use


def run(data: Path, use: Use) -> int:
    """Use the keys in Redis; what can be expected to go wrong is told in one line."""
    try:
        settings = load()
        url = settings.redis_url if "TASKREEL_REDIS_URL" in os.environ else running_url(data)
    except (SettingsError, StackError) as error:
        say(str(error))
        return FAILED
    try:
        return asyncio.run(_connected(url, settings.key_prefix, use))
    except RedisError as error:
        say(_told(url, error))
    except OSError as error:
        abandon()
        say(f"cannot write the output: {error.strerror or error}; `taskreel keys ls` tells what was done")
    return FAILED


async def _connected(url: str, prefix: str, use: Use) -> int:
    redis = connect(url, connections=1)
    try:
        return await use(KeyDirectory(redis, Keys(prefix)))
    finally:
        await redis.aclose()


def _told(url: str, error: Exception) -> str:
    """What went wrong, and what to do."""
    where = shown(url)
    if isinstance(error, NoPermissionError | AuthenticationError):
        return f"{where} refuses it: {error}; the URL (TASKREEL_REDIS_URL) must be that of the user ops"
    return f"cannot reach {where}: {error}; is it running, and is the URL (TASKREEL_REDIS_URL) right?"


def _public(record: KeyRecord) -> dict[str, Any]:
    """What may be shown of a record."""
    return record.model_dump(mode="json", exclude=_SECRET)


def _cells(record: KeyRecord) -> list[str]:
    shown = _public(record)
    return [*(str(shown[name]) for name in ("id", "tenant", "name", "role", "created_at")), _expiry(record)]


def _expiry(record: KeyRecord) -> str:
    if record.expires_at is None:
        return "never"
    over = " (over)" if record.is_expired(now_ms() / 1000) else ""
    return f"{record.model_dump(mode='json')['expires_at']}{over}"
