"""URLs of Redis: which servers they name, and how to connect to them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url

Address = tuple[str, int]
"""A host, by name or number, and a port."""

FORMS = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, unix:///PATH?db=DB,"
    " redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB or redis+cluster://HOST:PORT,HOST:PORT"
    " (rediss+ with TLS); what a user's name or password has of :/?#[]@% is percent-encoded"
)
"""What a URL may look like, for people."""

PARAMETERS = frozenset(
    {
        "client_name", "db", "password", "socket_connect_timeout", "socket_keepalive", "socket_timeout",
        "ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_ciphers",
        "ssl_keyfile", "username",
    }
)  # fmt: skip
"""Of redis-py's, those that a URL may set."""

SENTINEL_PARAMETERS = frozenset({"sentinel_username", "sentinel_password"})

_SCHEME = re.compile(r"(redis|rediss)(?:\+(cluster|sentinel))?|unix")
_USER = re.compile(r"//(?:([^:@]*)(:)?.*@)?", re.DOTALL)
_SECRET = re.compile(r"(password=).*", re.DOTALL)
_DB = re.compile(r"/?[0-9]*/?")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_WITH_DB = frozenset({"redis", "rediss"})
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")


class Kind(StrEnum):
    """How the servers behind a URL belong together."""

    SINGLE = "single"
    """There is one."""
    SENTINEL = "sentinel"
    """One of several is the primary, and sentinels know which."""
    CLUSTER = "cluster"
    """Each primary has a part of the keys."""


@dataclass(frozen=True, slots=True)
class Servers:
    """What a URL names.

    Attributes:
        kind: how they belong together.
        options: of redis-py's connection to a server; `connection_class` among them. Of a single server they
            tell where it is.
        addresses: of the sentinels, or of some of a Cluster's nodes.
        service: what the sentinels call the primary and its replicas.
        sentinel_options: of redis-py's connection to a sentinel.
    """

    kind: Kind
    options: Mapping[str, Any] = field(repr=False)
    addresses: tuple[Address, ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that the URL names; none if it is a socket of this machine's."""
        return tuple(host for host, _ in self.addresses) or tuple(
            str(self.options[name]) for name in ("host",) if name in self.options
        )

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.options["connection_class"] is SSLConnection

    @property
    def secret(self) -> bool:
        """Whether it has a password."""
        return any(options.get("password") for options in (self.options, self.sentinel_options))


def parse(url: str) -> Servers:
    """What a URL names.

    Raises:
        ValueError: it isn't a URL of Redis; the message tells what it takes, and holds no password.
    """
    parts, scheme = _split(url)
    kind = Kind(scheme[2] or Kind.SINGLE)
    _check_parameters(parts, kind)
    if kind is Kind.SINGLE:
        return Servers(kind, _options(url))
    addresses = _addresses(parts, default_port=26379 if kind is Kind.SENTINEL else 6379)
    return (_of_sentinels if kind is Kind.SENTINEL else _of_cluster)(parts, addresses, scheme[1])


def _split(url: str) -> tuple[SplitResult, re.Match[str]]:
    try:
        parts = urlsplit(url)
    except ValueError:  # its message may hold what is wrong, and that may be a password
        raise _wrong() from None
    scheme = _SCHEME.fullmatch(parts.scheme)
    if scheme is None or parts.fragment or (parts.scheme in _WITH_DB and not _DB.fullmatch(parts.path)):
        raise _wrong()  # a password that isn't percent-encoded may leave another host than was meant
    return parts, scheme


def _wrong() -> ValueError:
    return ValueError(f"a Redis URL: {FORMS}")


def shown(url: str) -> str:
    """A URL as it may be told to people: without a password."""
    return _SECRET.sub(r"\1***", _USER.sub(_without_password, url, count=1))


def _without_password(found: re.Match[str]) -> str:
    user, password = found.groups()
    return "//" if user is None else f"//{user}{':***' if password else ''}@"


def _check_parameters(parts: SplitResult, kind: Kind) -> None:
    known = PARAMETERS | SENTINEL_PARAMETERS if kind is Kind.SENTINEL else PARAMETERS
    named = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if named - known:
        raise ValueError(f"a Redis URL with no parameters but {', '.join(sorted(known))}")


def _options(url: str) -> dict[str, Any]:
    try:
        options = cast("dict[str, Any]", parse_url(url))
    except ValueError:
        raise _wrong() from None
    # A certificate of another host's is no proof, though redis-py takes it unless told otherwise.
    secure = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}
    return {"connection_class": Connection, **secure, **options}


def _addresses(parts: SplitResult, default_port: int) -> tuple[Address, ...]:
    _, _, hosts = parts.netloc.rpartition("@")
    found = list[Address]()
    for host in hosts.split(","):
        match = _HOST.fullmatch(host)
        port = int(match[3] or default_port) if match else 0
        if match is None or not 0 < port < 65536:
            raise _wrong()
        found.append((match[1] or match[2], port))
    return tuple(dict.fromkeys(found))


def _of_sentinels(parts: SplitResult, addresses: tuple[Address, ...], scheme: str) -> Servers:
    service, _, db = parts.path.removeprefix("/").partition("/")
    service = unquote(service)
    if not _SERVICE.fullmatch(service) or not (db.isdecimal() or not db):
        raise ValueError(
            "the service that the sentinels watch, and maybe a database, after the hosts: /SERVICE/DB"
        )
    query = dict(parse_qsl(parts.query))
    signed = {name.removeprefix("sentinel_"): query.pop(name) for name in SENTINEL_PARAMETERS & query.keys()}
    options = _node_options(parts, scheme, query, db)
    mine = {name: value for name, value in options.items() if name not in ("username", "password", "db")}
    return Servers(Kind.SENTINEL, options, addresses, service, {**mine, **signed})


def _of_cluster(parts: SplitResult, addresses: tuple[Address, ...], scheme: str) -> Servers:
    query = dict(parse_qsl(parts.query))
    if parts.path.strip("/") not in ("", "0") or query.get("db", "0") != "0":
        raise ValueError(
            "no database after a Cluster's hosts, since a Cluster has one alone: redis+cluster://HOST:PORT"
        )
    return Servers(Kind.CLUSTER, _node_options(parts, scheme, query), addresses)


def _node_options(parts: SplitResult, scheme: str, query: Mapping[str, str], db: str = "") -> dict[str, Any]:
    """The options of a connection to one of several servers, as redis-py reads them off a URL."""
    user, at, _ = parts.netloc.rpartition("@")
    options = _options(f"{scheme}://{user}{at}node/{db}?{urlencode(query)}")
    del options["host"]
    return options
