"""The issuer's keys: read from a file or fetched, changed without a restart, and kept through an outage."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
from pathlib import Path
from typing import Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from api.auth.jwks import LARGEST_BYTES, KeysAway, KeySet, read_keys, source_of
from api.auth.jwt import Jwt
from events.background import stop
from tests.support.issuer import KeyServer, SigningKey, key_server, key_set, settings_for
from tests.support.waiting import wait_until

OLD, NEW = SigningKey(), SigningKey()
ALGORITHMS = ["ES256", "RS256"]


def keys_of(where: str, **source: Any) -> KeySet:
    """The keys there, looked for as often as a test likes."""
    return KeySet(dataclasses.replace(source_of(where), **source), ALGORITHMS, lambda: None)


async def _found(keys: KeySet, key: SigningKey) -> bool:
    return await keys.find(key.id, key.algorithm) is not None


async def test_a_file_may_change(tmp_path: Path) -> None:
    """A new key is found as soon as a token names it; a withdrawn one lets nobody in any more."""
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(OLD))
    tokens = Jwt(settings_for(str(file)))
    token = OLD.token()
    assert await tokens.authenticate(token)
    file.write_bytes(key_set(NEW))

    async def knows_new() -> bool:
        return await tokens.authenticate(NEW.token()) is not None

    await wait_until(knows_new)
    assert await tokens.authenticate(token) is None


async def test_a_file_is_read_again_by_itself(tmp_path: Path) -> None:
    """So that a withdrawn key isn't waited out by who names no other; what is no key set is passed over."""
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(OLD, NEW))
    keys = keys_of(str(file), period=0.01, pause=0)
    running = asyncio.create_task(keys.run())
    await wait_until(lambda: keys.known)
    file.write_bytes(key_set(NEW)[:-5])  # half of it is written
    await wait_until(lambda: _found(keys, OLD))
    file.write_bytes(key_set(NEW))

    async def forgotten() -> bool:
        return not await _found(keys, OLD)

    await wait_until(forgotten)
    assert await _found(keys, NEW)
    await stop([running])


async def test_a_url_may_change_and_is_left_in_peace() -> None:
    """Unknown keys have it asked again, but once in 30 s, however many tokens name them."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url)
        assert await _found(keys, OLD)
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(keys.find(f"random-{number}", "ES256"))
        assert server.asked == 1
        eager = keys_of(server.url, pause=0)
        assert not await _found(eager, NEW)
        server.body = key_set(OLD, NEW)
        assert await _found(eager, NEW)


async def test_many_who_come_first_ask_once() -> None:
    """All of them wait for the one answer."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url)
        assert all(await asyncio.gather(*(_found(keys, OLD) for _ in range(50))))
        assert server.asked == 1


async def _empty(server: KeyServer) -> None:
    server.body = b""


async def _fails(server: KeyServer) -> None:
    server.head = "500 Internal Server Error"


async def _leads_away(server: KeyServer) -> None:
    server.head = f"302 Found\r\nLocation: {server.url}"


async def _grows(server: KeyServer) -> None:
    server.body = b'{"keys": [' + b" " * LARGEST_BYTES + b"]}"


async def _lists(server: KeyServer) -> None:
    server.body = b"[]"


@pytest.mark.parametrize("broken", [_empty, _fails, _leads_away, _grows, _lists])
async def test_known_keys_are_kept_when_their_source_breaks(
    broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An issuer's outage is not ours; nor is what answers in its place."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url, pause=0)
        assert await _found(keys, OLD)
        await broken(server)
        assert not await _found(keys, NEW)
        assert server.asked == 2
    assert not await _found(keys, NEW)
    assert await _found(keys, OLD)
    assert caplog.text.count("those known are kept") == 2


async def test_an_issuer_may_withdraw_all_its_keys() -> None:
    """An empty set is a set."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url, pause=0)
        assert await _found(keys, OLD)
        server.body = key_set()
        assert not await _found(keys, NEW)
        assert not await _found(keys, OLD)


async def test_keys_do_not_hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a day without their source nobody knows whether they hold, which is no refusal of a token."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url)
        assert await _found(keys, OLD)
    monkeypatch.setattr("api.auth.jwks.STALE_SECONDS", 0.0)
    with pytest.raises(KeysAway):
        await keys.find(OLD.id, "ES256")
    never = Jwt(settings_for(server.url))
    with pytest.raises(OSError, match="can't be read"):
        await never.authenticate(OLD.token())


async def test_an_endless_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has a known key doesn't notice; others wait for as long as a fetch may take in all."""
    async with key_server(key_set(OLD)) as server:
        keys = keys_of(server.url, pause=0)
        assert await _found(keys, OLD)
        monkeypatch.setattr("api.auth.jwks.FETCH_SECONDS", 0.2)
        server.endless = True
        waiting = asyncio.create_task(_found(keys, NEW))
        assert await _found(keys, OLD)
        assert not await waiting
        assert await _found(keys, OLD)


async def test_https_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys of who only claims to be the issuer are none."""
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    async with key_server(key_set(OLD), server_tls) as server:
        with pytest.raises(KeysAway):
            await keys_of(server.url).find(OLD.id, "ES256")
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert await _found(keys_of(server.url), OLD)


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "ES384"},
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"kid": None},
        {"kid": 7},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"x": "AAAA"},
        {"x": 7},
    ],
    ids="+".join,
)
def test_keys_that_fit_nothing_are_left_out(change: dict[str, Any]) -> None:
    """A secret, one for encryption, one of another curve; the others count."""
    members = [{**OLD.public, **change}, "no key", 7, NEW.public]
    found = read_keys(json.dumps({"keys": members}).encode(), ["ES256", "RS256"])
    assert list(found) == [(NEW.id, "ES256")]


def test_private_and_weak_keys_are_left_out() -> None:
    """Of a key that was published by mistake everybody can sign; 1024 bits of RSA can be broken."""
    private: Any = jwt.get_algorithm_by_name("ES256").to_jwk(OLD.private, as_dict=True)
    weak: Any = rsa.generate_private_key(65537, 1024).public_key()
    members = [
        {**private, "kid": "private"},
        {**jwt.get_algorithm_by_name("RS256").to_jwk(weak, as_dict=True), "kid": "weak"},
        NEW.public,
    ]
    found = read_keys(json.dumps({"keys": members}).encode(), ["ES256", "RS256"])
    assert list(found) == [(NEW.id, "ES256")]
