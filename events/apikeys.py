"""API keys: what one looks like, what is kept of it, and where. The key itself is kept nowhere.

A key reads `tr_<id>_<secret>`. The id names its record. The secret is 256 random bits, and the record has the
SHA-256 of it. A slow one with a salt is for what can be guessed; above 112 bits of entropy this will do
(NIST SP 800-63B, 5.1.2.2, https://pages.nist.gov/800-63-3/sp800-63b.html).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import string
from collections.abc import Awaitable, Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from redis.asyncio import Redis

from events.errors import SettingsError
from events.keys import Keys
from events.tenancy import TENANT

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
"""What the bearer of a key may be called. Two keys with one name are one principal: so a key is replaced."""

_KEY = re.compile(r"tr_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_VARIABLE = "TASKREEL_API_KEYS"

log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a principal may do in its tenant."""

    SUBMIT = "submit"
    """Submit tasks, and read and change those of its own."""
    READ = "read"
    """Read all tasks."""
    OPS = "ops"
    """Submit, and read and change all tasks."""


class KeyRecord(BaseModel):
    """What is kept of a key. One that has more members than these is refused: they might restrict it.

    Attributes:
        id: the key's public half, by which it's listed and revoked.
        tenant: whose tasks it opens.
        name: the subject of its bearer.
        role: what the bearer may do.
        created_at, expires_at: with time zone; None: it never expires.
        hash: SHA-256 of the secret, in hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, Field(pattern="^[a-z0-9]{12}$")]
    tenant: Annotated[str, Field(pattern=f"^{TENANT.pattern}$")]
    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    role: Role
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$", repr=False)]

    def matches(self, secret: str) -> bool:
        """Whether it's this key's secret; in the same time whatever that is."""
        return hmac.compare_digest(_digest(secret), self.hash)

    def is_expired(self, now: float) -> bool:
        """Whether its time is over, at a Unix time in seconds."""
        return self.expires_at is not None and self.expires_at.timestamp() <= now


def new_key(tenant: str, name: str, role: Role, expires_at: datetime | None = None) -> tuple[str, KeyRecord]:
    """A new key, and its record.

    Raises:
        pydantic.ValidationError: the tenant or the name isn't one, or the expiry has no time zone.
    """
    key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    record = KeyRecord(
        id=key_id,
        tenant=tenant,
        name=name,
        role=role,
        created_at=datetime.now(UTC).replace(microsecond=0),
        expires_at=expires_at,
        hash=_digest(secret),
    )
    return f"tr_{key_id}_{secret}", record


def split_key(key: str) -> tuple[str, str] | None:
    """A key's id and secret; None for what can be no key."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def read_declared(text: str) -> dict[str, KeyRecord]:
    """The keys of the setting TASKREEL_API_KEYS by id: a JSON array of records, or `@` and its file's name.

    Raises:
        SettingsError: it is something else. The message says where, and repeats nothing of it.
    """
    if not text.strip():
        return {}
    try:
        raw = Path(text[1:]).read_text() if text.startswith("@") else text
        records = _RECORDS.validate_json(raw)
    except OSError as error:
        raise SettingsError(f"{_VARIABLE} names a file that can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{_VARIABLE} names a file that isn't JSON") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "/".join(map(str, first["loc"])) or "the whole"
        takes = "It takes a JSON array of records as `taskreel keys new --declare` prints them, or @FILE"
        raise SettingsError(f"{_VARIABLE} is wrong at {where}: {first['type']}. {takes}") from None
    declared = {record.id: record for record in records}
    if len(declared) < len(records):
        raise SettingsError(f"{_VARIABLE} declares two keys with the same id: leave one of them out")
    return declared


_RECORDS = TypeAdapter(list[KeyRecord])


class KeyDirectory:
    """The records of all keys under one key prefix."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def add(self, record: KeyRecord) -> None:
        """Have a key be one."""
        await cast("Awaitable[int]", self.redis.hset(self.keys.api_keys, record.id, record.model_dump_json()))

    async def all(self) -> list[KeyRecord]:
        """All of them, by tenant and time of creation."""
        raw = await cast("Awaitable[dict[bytes, bytes]]", self.redis.hgetall(self.keys.api_keys))
        found = [_read(key_id.decode(), value) for key_id, value in raw.items()]
        return sorted((one for one in found if one), key=lambda one: (one.tenant, one.created_at, one.id))

    async def find(self, key_id: str) -> KeyRecord | None:
        """One of them."""
        return (await self.find_all([key_id])).get(key_id)

    async def find_all(self, ids: Collection[str]) -> Mapping[str, KeyRecord]:
        """Those of the ids that are keys, in one round trip."""
        asked = list(ids)
        if not asked:
            return {}
        raw = await cast("Awaitable[list[bytes | None]]", self.redis.hmget(self.keys.api_keys, asked))
        found = [_read(key_id, value) for key_id, value in zip(asked, raw, strict=True) if value is not None]
        return {record.id: record for record in found if record}

    async def revoke(self, key_id: str) -> bool:
        """Have a key be none, and let all pods know; whether it was one."""
        # Not in one transaction: if it rings a bell, Valkey 9 executes it on a server that the key has left.
        revoked = await cast("Awaitable[int]", self.redis.hdel(self.keys.api_keys, key_id))
        await self.redis.publish(self.keys.api_keys_bell, key_id)
        return bool(revoked)


def _read(key_id: str, raw: bytes) -> KeyRecord | None:
    try:
        record = KeyRecord.model_validate_json(raw)
    except ValidationError:
        record = None
    if record is None or record.id != key_id:
        log.error("what is kept of the API key %r is no record of it: the key is refused", key_id)
        return None
    return record


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
