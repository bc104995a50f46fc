"""JWTs: who they let in, and every way to forge one that is known (RFC 8725)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.auth.jwt import LARGEST_TOKEN, Jwt
from api.auth.principal import Principal
from events.apikeys import Role
from tests.support.issuer import AUDIENCE, ISSUER, SigningKey, claims_of, encoded, key_set, settings_for
from tests.support.waiting import wait_until

KEYS = {name: SigningKey(name) for name in ("ES256", "RS256", "EdDSA")}
KEY = KEYS["ES256"]


@pytest.fixture
def tokens(tmp_path: Path) -> Jwt:
    """Knows the tokens of the issuer with `KEYS`."""
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(*KEYS.values()))
    return Jwt(settings_for(str(file)))


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_lets_its_bearer_in(tokens: Jwt, algorithm: str) -> None:
    """As its subject, in its tenant, with its role, until it expires; the second time as well."""
    end = int(time.time()) + 60
    token = KEYS[algorithm].token(exp=end)
    first, again = await tokens.authenticate(token), await tokens.authenticate(token)
    assert first
    assert first == again == Principal("acme", "ada", Role.SUBMIT, first.credential, end)
    assert first.credential.startswith("jwt:")
    assert first.credential[4:] not in token


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"role": "read"}, Role.READ),
        ({"role": ["someone-elses", "read"]}, Role.READ),
        ({"role": ["submit", "ops", 1]}, Role.OPS),
        ({"aud": ["other", AUDIENCE]}, Role.SUBMIT),
        ({"nbf": None, "iat": None}, Role.SUBMIT),
        ({"sub": "auth0|Ada Lovelace <ada@example.org>"}, Role.SUBMIT),
    ],
)
async def test_what_issuers_write_is_understood(tokens: Jwt, claims: dict[str, Any], role: Role) -> None:
    """A role may be in a list with others; an audience too; only `exp` of the times is needed."""
    principal = await tokens.authenticate(KEY.token(**claims))
    assert principal
    assert principal.role is role
    assert principal.subject == claims.get("sub", "ada")


async def test_claims_may_have_other_names(tmp_path: Path) -> None:
    """Issuers put names of their own before claims of others."""
    (tmp_path / "jwks.json").write_bytes(key_set(KEY))
    names = {"jwt_tenant_claim": "https://example.org/tenant", "jwt_role_claim": "roles"}
    tokens = Jwt(settings_for(str(tmp_path / "jwks.json"), **names))
    claims: dict[str, Any] = {"https://example.org/tenant": "beta", "roles": ["read"]}
    token = KEY.token(None, **claims)
    principal = await tokens.authenticate(token)
    assert principal
    assert (principal.tenant, principal.role) == ("beta", Role.READ)


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        *({"exp": NOW - 1}, {"exp": NOW - 4}, {"nbf": NOW + 3600}, {"iat": NOW + 3600}),
        *({"exp": None}, {"iss": None}, {"aud": None}, {"sub": None}, {"tenant": None}, {"role": None}),
        *({"aud": "other"}, {"aud": []}, {"aud": {}}, {"aud": [AUDIENCE, 1]}, {"aud": AUDIENCE.upper()}),
        *({"iss": ISSUER.rstrip("/")}, {"iss": [ISSUER]}, {"iss": "https://evil.example/"}),
        *({"exp": str(NOW + 99)}, {"exp": True}, {"exp": 1e400}, {"exp": 10**400}, {"exp": [NOW + 99]}),
        *({"nbf": "0"}, {"iat": False}, {"nbf": {}}, {"exp": -1}, {"exp": float("nan")}),
        *({"sub": 7}, {"sub": ""}, {"sub": " "}, {"sub": "a\nb"}, {"sub": "ä"}, {"sub": "x" * 256}),
        *(
            {"tenant": "../x"},
            {"tenant": "ACME"},
            {"tenant": ""},
            {"tenant": "\u0430cme"},
            {"tenant": "acme\n"},
        ),
        *({"tenant": ["acme"]}, {"tenant": "a" * 64}, {"tenant": "a:b"}, {"tenant": "a/b"}, {"tenant": 1}),
        *({"role": "admin"}, {"role": []}, {"role": ["OPS"]}, {"role": {"ops": 1}}, {"role": True}),
    ],
    ids="+".join,
)
async def test_wrong_claims_let_nobody_in(tokens: Jwt, claims: dict[str, Any]) -> None:
    """Though the issuer has signed them: out of time, for somebody else, or not what they should be."""
    assert await tokens.authenticate(KEY.token(**claims)) is None


async def test_a_clock_may_be_a_little_ahead(tokens: Jwt) -> None:
    """The issuer's, by 5 s; that helps no token that has expired."""
    now = int(time.time())
    assert await tokens.authenticate(KEY.token(nbf=now + 4, iat=now + 4))


async def test_a_verified_token_expires(tokens: Jwt) -> None:
    """It was let in, and is remembered."""
    token = KEY.token(exp=int(time.time()) + 2)
    while not await tokens.authenticate(token):  # a machine may be slower than that
        token = KEY.token(exp=int(time.time()) + 2)

    async def refused() -> bool:
        return await tokens.authenticate(token) is None

    await wait_until(refused)


def _hmac(header: Mapping[str, Any], secret: bytes) -> str:
    """What makes a public key of the issuer's a secret that everybody knows."""
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims_of()).encode())}"
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), secret)
    return f"{signed}.{encoded(signature)}"


OTHER = SigningKey("ES256", KEY.id)
STOLEN = {
    "jwk": OTHER.public,
    "jku": "http://127.0.0.1:1/keys",
    "x5u": "http://127.0.0.1:1/",
    "x5c": ["AA=="],
}

FORGED = {
    "none": lambda: KEY.token({"alg": "none"}),
    "none without signature": lambda: KEY.token({"alg": "none"}).rpartition(".")[0] + ".",
    "None": lambda: KEY.token({"alg": "NONE"}).rpartition(".")[0] + ".",
    "no algorithm": lambda: KEY.token({"alg": None}),
    "a list of algorithms": lambda: KEY.token({"alg": ["ES256"]}),
    "HS256 by the public key's PEM": lambda: _hmac({"alg": "HS256", "kid": KEY.id}, KEY.pem),
    "HS256 by the key set": lambda: _hmac({"alg": "HS256", "kid": KEY.id}, json.dumps(KEY.public).encode()),
    "HS256 by nothing": lambda: _hmac({"alg": "HS256", "kid": KEY.id}, b""),
    "another key of the same id": lambda: OTHER.token(),
    "its own key": lambda: OTHER.token(STOLEN),
    "a key of another type": lambda: KEYS["RS256"].token({"kid": KEY.id}),
    "the algorithm of another key": lambda: KEY.token({"alg": "RS256"}),
    "no key": lambda: KEY.token({"kid": None}),
    "a key that is a number": lambda: KEY.token({"kid": 1}),
    "a key that is a list": lambda: KEY.token({"kid": [KEY.id]}),
    "a key that is a path": lambda: KEY.token({"kid": "../../../../dev/null"}),
    "a key that is SQL": lambda: KEY.token({"kid": "' UNION SELECT 'x' --"}),
    "an empty key": lambda: KEY.token({"kid": ""}),
    "a header that must be understood": lambda: KEY.token({"crit": ["exp"], "exp": 1}),
    "a payload elsewhere": lambda: KEY.token({"b64": False, "crit": ["b64"]}),
    "a name twice": lambda: KEY.sign(json.dumps(claims_of()).encode()[:-1] + b', "tenant": "beta"}'),
    "a name twice deep inside": lambda: KEY.sign(
        json.dumps(claims_of()).encode()[:-1] + b', "x": {"a": 1, "a": 2}}'
    ),
    "a payload that is a list": lambda: KEY.sign(b"[]"),
    "a payload that is no JSON": lambda: KEY.sign(b"{"),
    "a payload that is very deep": lambda: KEY.sign(b"[" * 5000),
    "a payload that is not UTF-8": lambda: KEY.sign(b'{"sub": "\xff"}'),
    "one bit of the signature": lambda: _flipped(KEY.token()),
    "five parts": lambda: KEY.token() + ".x.y",
    "two parts": lambda: KEY.token().rpartition(".")[0],
    "nothing": lambda: "",
    "dots": lambda: "..",
    "no ASCII": lambda: KEY.token() + "é",
    "too long": lambda: KEY.token(padding="x" * LARGEST_TOKEN),
}


def _flipped(token: str) -> str:
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_token_lets_nobody_in(tokens: Jwt, how: str) -> None:
    """What it says of its own key and algorithm counts for nothing."""
    assert await tokens.authenticate(FORGED[how]()) is None


async def test_no_key_that_a_token_brings_is_asked_for(tokens: Jwt) -> None:
    """A right token may name its own keys: they are looked at by nobody."""
    assert await tokens.authenticate(KEY.token(STOLEN))


async def test_the_log_tells_why_and_not_what(tokens: Jwt, caplog: pytest.LogCaptureFixture) -> None:
    """Once in a while, whoever sends how many."""
    caplog.set_level("INFO", "api.auth.jwt")
    token = KEY.token(aud="canary", sub="canary")
    for _ in range(20):
        await tokens.authenticate(token)
    assert [record.getMessage() for record in caplog.records] == [
        "a token was refused, as others may be in these seconds: InvalidAudienceError"
    ]
