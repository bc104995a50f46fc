"""All settings: environment variables with the prefix TASKREEL_, read once when a process starts."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from events.durability import Level
from events.errors import SettingsError
from events.expressions import expressions
from events.redaction import Redactor
from events.servers import urls

PREFIX = "TASKREEL_"

_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")


def _redis_url(value: object) -> object:
    urls.parse(value if isinstance(value, str) else "")
    return value


def _queue_url(value: object, told: ValidationInfo) -> object:
    """A Cluster has no place for arq, whose keys have any slot and are wanted in one transaction."""
    url = value if value is not None else told.data.get("redis_url")
    if isinstance(url, str) and urls.parse(url).kind is urls.Kind.CLUSTER:
        raise ValueError(
            "the URL of a Redis of its own, such as redis://HOST:PORT/DB or redis+sentinel://HOST:PORT/SERVICE/DB,"
            " for the queue can't be on a Cluster (TASKREEL_REDIS_URL may be one)"
        )
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _list(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _key_set(value: object) -> object:
    url = urlsplit(value) if isinstance(value, str) else urlsplit("none:")
    near = url.hostname in ("localhost", "127.0.0.1", "::1")
    is_file = not url.scheme and bool(url.path)
    if not (is_file or (url.scheme == "https" and url.hostname) or (url.scheme == "http" and near)):
        raise ValueError(
            "a file's path or an https:// URL; http:// of this machine alone, lest keys be forged"
        )
    return value


def _algorithms(value: object) -> object:
    names = _list(value)
    if not isinstance(names, list) or not names or not set(cast("list[object]", names)) <= SIGNATURES:
        # With HS256 the issuer's public key would be the secret, and "none" needs no key (RFC 8725, 2.1).
        raise ValueError(f"names of public key signatures, comma separated: {', '.join(sorted(SIGNATURES))}")
    return cast("list[object]", names)


SIGNATURES = frozenset(
    {"ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
)
"""Of RFC 7518 and RFC 8037, those that are verified with a public key."""

RedisUrl = Annotated[str, BeforeValidator(_redis_url)]
QueueUrl = Annotated[RedisUrl | None, AfterValidator(_queue_url)]
CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_list)]
Expressions = Annotated[list[str], NoDecode, BeforeValidator(expressions)]
KeySetSource = Annotated[str, BeforeValidator(_key_set)]
Signatures = Annotated[list[str], NoDecode, BeforeValidator(_algorithms)]


def _host_names(value: object) -> object:
    names = cast("list[object]", _list(value))
    if not all(_HOST_NAME.fullmatch(str(name)) for name in names):
        raise ValueError("names such as api.example.com, *.example.com or [::1], comma separated, no ports")
    return names


HostNames = Annotated[list[str], NoDecode, BeforeValidator(_host_names)]


def _origins(value: object) -> object:
    names = cast("list[object]", _list(value))
    if not all(_ORIGIN.fullmatch(str(name)) for name in names):
        raise ValueError(
            "origins as browsers write them, such as https://app.example.com or http://localhost:3000, comma "
            "separated, with no path or slash at the end; never *, for credentials are let through"
        )
    return names


OriginNames = Annotated[list[str], NoDecode, BeforeValidator(_origins)]


LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]


class Auth(StrEnum):
    """How pods know whose requests they have."""

    OFF = "off"
    """Nobody is asked."""
    KEYS = "keys"
    """By API keys."""
    JWT = "jwt"
    """By an issuer's JSON Web Tokens."""


class Settings(BaseSettings):
    """What can be set, with its default. The variable is the field's name in capitals, after TASKREEL_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    redis_url: RedisUrl = Field(default="redis://127.0.0.1:6379/0", description="where the log lives")
    queue_url: QueueUrl = Field(
        default=None, validate_default=True, description="arq's Redis, if it isn't the log's"
    )
    key_prefix: str = Field(default="taskreel", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    durability: Level = Field(default=Level.OFF, description="what must have a milestone before it counts")
    durability_replicas: int = Field(default=1, ge=1, le=100, description="how many, for `replica`")
    allow_eviction: bool = Field(default=False, description="a Redis that throws logs away is taken as well")
    retention_seconds: int = Field(default=7 * 86400, ge=1, description="from the seal to the log's end")

    auth: Auth = Field(default=Auth.OFF, description="off: on loopback alone; keys: API keys; jwt: tokens")
    api_keys: str = Field(default="", repr=False, description="keys besides those in Redis: JSON, or @FILE")
    jwt_jwks: KeySetSource | None = Field(default=None, description="the issuer's keys: a file or a URL")
    jwt_issuer: str | None = Field(default=None, description="what a token's `iss` must be")
    jwt_audience: str | None = Field(default=None, description="what a token's `aud` must be, or hold")
    jwt_algorithms: Signatures = Field(default=["RS256", "ES256", "EdDSA"], description="others are refused")
    jwt_tenant_claim: str = Field(default="tenant", min_length=1, description="whose value is the tenant")
    jwt_role_claim: str = Field(default="role", min_length=1, description="whose value is the role, or roles")

    secret: str | None = Field(
        default=None,
        min_length=32,
        repr=False,
        description="signs tickets; unset: one that pods share in Redis",
    )
    cookie_samesite: Literal["strict", "lax", "none"] = Field(
        default="strict", description="of the streams' cookie; none: for pages of another site"
    )
    cors_origins: OriginNames = Field(default=[], description="whose pages may use the pods from a browser")

    submits_per_minute: int = Field(default=600, ge=0, description="of one subject; 0: any number")
    max_streams_per_principal: int = Field(default=1000, ge=0, description="open; 0: any number")
    max_unfinished: int = Field(default=1000, ge=0, description="tasks of one subject; 0: any number")

    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="of pods' and workers' lines; auto: JSON, and text on a terminal"
    )
    log_level: LogLevel = Field(default="info", description="the least that pods and workers tell")
    access_log: bool = Field(default=True, description="whether a pod tells of each request")

    redact: Expressions = Field(default=[], description="more secrets: regular expressions, one a line")
    redact_defaults: bool = Field(default=True, description="whether secrets of the usual kinds are redacted")

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

    hosts: HostNames = Field(default=[], description="names the pod goes by: api.example.com,*.example.org")
    max_header_bytes: int = Field(default=32 * 1024, ge=1024, le=1024 * 1024, description="of a request")
    header_seconds: float = Field(default=10, gt=0, le=3600, description="for a request's headers to come")
    body_seconds: float = Field(default=30, gt=0, le=3600, description="for the rest of a request to come")

    metrics_token: str | None = Field(
        default=None, min_length=16, pattern=r"^[!-~]+$", repr=False, description="what a scraper must send"
    )
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="of a worker's metrics")
    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="where that port is")

    @property
    def redactor(self) -> Redactor:
        """Takes secrets out of what is kept and told."""
        return Redactor(self.redact, defaults=self.redact_defaults)


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
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        shown = Settings.model_fields[str(first["loc"][0])].repr
        value = first["input"]
        held = repr(urls.shown(value) if isinstance(value, str) else value) if shown else "***"
        what = f"{name} is not set" if value is None else f"{name}={held} is wrong"
        raise SettingsError(f"{what}. It takes: {message}") from None
