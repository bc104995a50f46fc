"""All settings: environment variables with the prefix TASKREEL_, read once when a process starts."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from events.errors import SettingsError

PREFIX = "TASKREEL_"

_PASSWORD = re.compile(r":[^:@/]*@")


def _redis_url(value: object) -> object:
    scheme = urlsplit(value).scheme if isinstance(value, str) else ""
    if scheme not in ("redis", "rediss", "unix"):
        raise ValueError("a Redis URL: redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH?db=DB")
    return value


def _list(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


RedisUrl = Annotated[str, BeforeValidator(_redis_url)]
CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_list)]


class Settings(BaseSettings):
    """What can be set, with its default. The variable is the field's name in capitals, after TASKREEL_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    redis_url: RedisUrl = Field(default="redis://127.0.0.1:6379/0", description="where the log lives")
    queue_url: RedisUrl | None = Field(default=None, description="arq's Redis, if it isn't the log's")
    key_prefix: str = Field(default="taskreel", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    retention_seconds: int = Field(default=7 * 86400, ge=1, description="from the seal to the log's end")

    graphs: CommaSeparated = Field(default=[], description="NAME=module:attr, comma separated")
    pool: str = Field(default="default", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="a worker's queue")
    concurrency: int = Field(default=10, ge=1, le=1000, description="tasks a worker runs at a time")
    lease_seconds: float = Field(default=10, gt=0.5, le=3600)
    max_attempts: int = Field(default=3, ge=1, le=1000)
    task_timeout_seconds: float = Field(default=3600, gt=0, le=366 * 86400, description="a task may run")
    stop_seconds: float = Field(default=10, gt=0, le=3600, description="a node may ignore its cancellation")
    drain_seconds: float = Field(
        default=20, ge=0, le=3600, description="from SIGTERM to a node's cancellation"
    )

    checkpoints: str = Field(
        default="redis", description="redis, sqlite:///PATH, postgresql://... or module:attr", repr=False
    )

    heartbeat_seconds: float = Field(default=15, gt=0.05, le=600, description="between two `: hb` comments")
    max_streams: int = Field(default=10_000, ge=1, description="open streams a pod takes")
    pod_drain_seconds: float = Field(default=1, ge=0, le=3600, description="from SIGTERM to the streams' end")
    max_queued: int = Field(default=10_000, ge=1, description="dispatches waiting before submits get 503")


def load() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a variable holds a wrong value. One line names it, what it held and what it takes.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        message = first["msg"].removeprefix("Value error, ")
        held = _PASSWORD.sub(":***@", repr(first["input"]))
        raise SettingsError(f"{name}={held} is wrong. It takes: {message}") from None
