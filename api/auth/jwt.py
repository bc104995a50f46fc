"""Jwt: whose token that is, by the issuer's public keys (RFC 7519, and RFC 8725 on what can go wrong)."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from typing import Any, cast

import jwt

from api.auth.cache import Cache
from api.auth.jwks import KeySet, read_file, source_of
from api.auth.principal import Principal
from events.apikeys import Role
from events.errors import SettingsError
from events.settings import PREFIX, Settings
from events.tenancy import TENANT

LARGEST_TOKEN = 8192
"""Characters; what is longer isn't even decoded."""

LEEWAY_SECONDS = 5.0
"""By how much the issuer's clock may be ahead of ours. What has expired has expired, though."""

LONGEST_SUBJECT = 255
"""Of OpenID Connect Core, 2."""

LATEST = 253_402_300_799
"""The end of the year 9999, in Unix seconds."""

MOST_CACHED = 10_000
TELL_SECONDS = 10.0
"""Why tokens are refused is told in the log once in so many seconds, whoever sends how many."""

_REQUIRED: Any = {"require": ["exp", "iss", "aud", "sub"]}

log = logging.getLogger(__name__)


class Unfit(jwt.PyJWTError):
    """A token that its issuer has signed, and that names no principal."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Which claims make a principal.

    Attributes:
        tenant: the name of the claim that has the tenant.
        role: of the one that has the role, or a list with it.
    """

    tenant: str
    role: str

    def principal(self, payload: dict[str, Any], credential: str) -> Principal:
        """The principal that a verified payload names.

        Raises:
            Unfit: it names none, or one whose time is over.
        """
        tenant, subject = payload.get(self.tenant), payload["sub"]
        if not isinstance(tenant, str) or TENANT.fullmatch(tenant) is None:
            raise Unfit(f"the claim {self.tenant!r} holds no tenant's name")
        if not _is_name(subject):
            raise Unfit("the claim 'sub' holds no name of 1 to 255 printable ASCII characters")
        expires_at = _times(payload)["exp"]
        if expires_at <= time.time():
            raise Unfit("the token has expired")
        return Principal(tenant, subject, self._role(payload.get(self.role)), credential, expires_at)

    def _role(self, value: Any) -> Role:
        """The role in a claim. Of several it's `ops`, else the first that is one: they may be others' too."""
        listed = cast("list[Any]", value) if isinstance(value, list) else [value]
        roles = [Role(one) for one in listed if isinstance(one, str) and one in set(Role)]
        if not roles:
            raise Unfit(f"the claim {self.role!r} holds none of {', '.join(Role)}")
        return Role.OPS if Role.OPS in roles else roles[0]


class Jwt:
    """Knows the tokens of one issuer.

    Raises:
        SettingsError: a setting is missing, or the file it names holds no key.
    """

    def __init__(self, settings: Settings) -> None:
        self._issuer = _needed("jwt_issuer", settings.jwt_issuer, "the issuer's `iss`")
        self._audience = _needed("jwt_audience", settings.jwt_audience, "the `aud` of tokens for Taskreel")
        where = _needed("jwt_jwks", settings.jwt_jwks, "the path or the URL of the issuer's key set")
        self._algorithms = settings.jwt_algorithms
        self._claims = Claims(settings.jwt_tenant_claim, settings.jwt_role_claim)
        self._verified = Cache[Principal](MOST_CACHED)
        self._decoder = _Decoder()
        self._told_at = 0.0
        self.keys = KeySet(source_of(where), settings.jwt_algorithms, self._verified.clear)
        if "://" not in where:
            _load(self.keys, where)

    async def authenticate(self, token: str) -> Principal | None:
        """Whose token that is; None if it's wrong, has expired, or is for somebody else.

        Raises:
            KeysAway: the issuer's keys can't be read.
        """
        if len(token) > LARGEST_TOKEN or not token.isascii():
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = self._verified.get(digest)
        if known is not None and known.expires_at is not None:
            return known if known.expires_at > time.time() else None
        try:
            principal = self._claims.principal(await self._verify(token), f"jwt:{digest[:16]}")
        except jwt.PyJWTError as error:
            self._tell(error)
            return None
        self._verified.put(digest, principal)
        return principal

    async def run(self) -> None:
        """Follow the issuer's changes of keys until cancelled."""
        await self.keys.run()

    async def _verify(self, token: str) -> dict[str, Any]:
        """The payload of a token of the issuer's for us. Which key it is, only `kid` and our key set say."""
        header = jwt.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(key_id, str) or algorithm not in self._algorithms:
            raise jwt.InvalidAlgorithmError("it has no `kid`, or another algorithm than is taken")
        key = await self.keys.find(key_id, algorithm)
        if key is None:
            raise jwt.InvalidKeyError("the issuer has no such key")
        return self._decoder.decode(
            token,
            key,
            [algorithm],
            _REQUIRED,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
        )

    def _tell(self, error: jwt.PyJWTError) -> None:
        """Let the operator know, who else would see nothing but 401; not what the token holds."""
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            why = str(error) if isinstance(error, Unfit) else type(error).__name__
            log.info("a token was refused, as others may be in these seconds: %s", why)


class _Decoder(jwt.PyJWT):
    """PyJWT, but for names that come twice: of two readers each might believe another (RFC 7519, 4)."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        try:
            payload = json.loads(decoded["payload"], object_pairs_hook=_unambiguous)
        except (ValueError, RecursionError):
            raise jwt.DecodeError("the payload is no JSON, or has a name twice") from None
        if not isinstance(payload, dict):
            raise jwt.DecodeError("the payload is no JSON object")
        return cast("dict[str, Any]", payload)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name comes twice")
    return members


def _times(payload: dict[str, Any]) -> dict[str, float]:
    """The times of a payload. PyJWT takes texts, and true, for numbers."""
    times = {name: payload[name] for name in ("exp", "nbf", "iat") if name in payload}
    for name, value in times.items():
        if type(value) not in (int, float) or not 0 <= value <= LATEST:
            raise Unfit(f"the claim {name!r} holds no time")
    return {name: float(value) for name, value in times.items()}


def _is_name(subject: str) -> bool:
    fits = 0 < len(subject) <= LONGEST_SUBJECT and subject.isascii() and subject.isprintable()
    return fits and subject == subject.strip()


def _needed(name: str, value: str | None, what: str) -> str:
    if not value:
        raise SettingsError(f"{PREFIX}{name.upper()} is not set. TASKREEL_AUTH=jwt needs it: {what}")
    return value


def _load(keys: KeySet, path: str) -> None:
    variable = f"{PREFIX}JWT_JWKS={path!r} is wrong"
    try:
        keys.take(read_file(path))
    except OSError as error:
        raise SettingsError(f"{variable}: it can't be read, {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{variable}: {error}") from None
    if not keys.known:
        raise SettingsError(f"{variable}: it holds no public key with a `kid` for TASKREEL_JWT_ALGORITHMS")
