"""KeySet: an issuer's public keys (RFC 7517), read from a file or a URL and kept while that is away."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jwt
import orjson

FILE_SECONDS = 5.0
"""How often a file is read again."""

URL_SECONDS = 300.0
"""How often a URL is asked again; PyJWT's own client does so as often."""

URL_PAUSE_SECONDS = 30.0
"""How long it's left in peace at least, whatever keys tokens name and whatever it answers."""

FETCH_SECONDS = 5.0
LARGEST_BYTES = 256 * 1024

STALE_SECONDS = 86_400.0
"""For how long keys hold whose source is away: an issuer's outage must not be ours, but who keeps its answers
from us must not have a withdrawn key hold for ever."""

_SHAPES = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The key type and curve of an algorithm; all others have RSA keys."""

log = logging.getLogger(__name__)


class KeysAway(ConnectionError):
    """The issuer's keys can't be read, and those known are too old or none; it may be over soon."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a key set is.

    Attributes:
        read: gives the document. Raises OSError or ValueError.
        period: seconds from one look to the next.
        pause: seconds between two looks at least.
    """

    read: Callable[[], Awaitable[bytes]]
    period: float
    pause: float


def source_of(where: str) -> Source:
    """The source of a path, or of an http or https URL."""
    if "://" in where:
        return Source(lambda: _fetch(where), URL_SECONDS, URL_PAUSE_SECONDS)
    return Source(lambda: asyncio.to_thread(read_file, where), FILE_SECONDS, 1.0)


class KeySet:
    """The keys that may have signed a token.

    Args:
        source: where they are.
        algorithms: that tokens may be signed with.
        changed: called when there are others than before.
    """

    def __init__(self, source: Source, algorithms: Sequence[str], changed: Callable[[], None]) -> None:
        self._source = source
        self._algorithms = algorithms
        self._changed = changed
        self._document = b""
        self._keys: dict[tuple[str, str], jwt.PyJWK] = {}
        self._read_at = self._tried_at = -math.inf
        self._looking = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether there is any key."""
        return bool(self._keys)

    async def find(self, key_id: str, algorithm: str) -> jwt.PyJWK | None:
        """The key of that id, if tokens may be signed with it by that algorithm.

        Raises:
            KeysAway: nobody knows.
        """
        if not any(known == key_id for known, _ in self._keys):
            await self.look()
        if time.monotonic() - self._read_at > STALE_SECONDS:
            raise KeysAway("the issuer's keys can't be read")
        return self._keys.get((key_id, algorithm))

    async def run(self) -> None:
        """Look for other keys until cancelled."""
        while True:
            await self.look()
            failed = self._read_at < self._tried_at
            await asyncio.sleep(self._source.pause if failed else self._source.period)

    async def look(self) -> None:
        """Read the keys again, unless that was tried just now; who comes meanwhile waits for it."""
        async with self._looking:
            if time.monotonic() - self._tried_at < self._source.pause:
                return
            self._tried_at = time.monotonic()
            try:
                self.take(await self._source.read())
            except (OSError, ValueError) as error:
                log.warning("the issuer's keys can't be read, those known are kept: %s", error)

    def take(self, document: bytes) -> None:
        """Have these be the keys. Raises ValueError if it's no key set; then the others stay."""
        if document != self._document:
            self._keys = read_keys(document, self._algorithms)
            self._document = document
            self._changed()
            if not self._keys:
                log.warning("the issuer has no key that fits %s", ", ".join(self._algorithms))
        self._read_at = time.monotonic()


def read_keys(document: bytes, algorithms: Sequence[str]) -> dict[tuple[str, str], jwt.PyJWK]:
    """The keys of a JSON Web Key Set, by id and algorithm, without those that fit none of the algorithms.

    Raises:
        ValueError: it is no key set.
    """
    content = orjson.loads(document)
    members = cast("dict[str, Any]", content).get("keys") if isinstance(content, dict) else None
    if not isinstance(members, list):
        raise ValueError('it is no JSON Web Key Set, {"keys": [...]}')
    found: dict[tuple[str, str], jwt.PyJWK] = {}
    for member in cast("list[Any]", members):
        for algorithm in algorithms:
            key = _key(member, algorithm)
            if key is not None:
                found.setdefault((member["kid"], algorithm), key)
    return found


def _key(member: Any, algorithm: str) -> jwt.PyJWK | None:
    if not isinstance(member, dict) or not _fits(cast("dict[str, Any]", member), algorithm):
        return None
    try:
        key = jwt.PyJWK(cast("dict[str, Any]", member), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    return None if key.Algorithm.check_key_length(key.key) else key  # RSA below 2048 bits


def _fits(member: dict[str, Any], algorithm: str) -> bool:
    """Whether a key is public, and meant for signatures by that algorithm (RFC 7517, 4)."""
    key_type, curve = _SHAPES.get(algorithm, ("RSA", None))
    operations = member.get("key_ops")
    return (
        isinstance(member.get("kid"), str)
        and (member.get("kty"), member.get("crv")) == (key_type, curve)
        and "d" not in member
        and member.get("alg", algorithm) == algorithm
        and member.get("use", "sig") == "sig"
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def read_file(path: str) -> bytes:
    """A file that holds a key set. Raises OSError, and ValueError if it is too large for one."""
    with Path(path).open("rb") as file:
        document = file.read(LARGEST_BYTES + 1)
    _check_size(len(document))
    return document


async def _fetch(url: str) -> bytes:
    """What a URL answers. No redirect is followed: it would lead to keys that nobody has configured."""
    import httpx  # which other pods need not load

    trust_env = url.startswith("https:")  # a proxy has no business with this machine's own
    document = bytearray()
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx.AsyncClient(trust_env=trust_env) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                raise ValueError(f"the URL answers {response.status_code}")
            async for piece in response.aiter_bytes():
                document += piece
                _check_size(len(document))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise ConnectionError(f"the URL gives no answer ({type(error).__name__})") from error
    return bytes(document)


def _check_size(size: int) -> None:
    if size > LARGEST_BYTES:
        raise ValueError(f"it is over {LARGEST_BYTES // 1024} KiB")
