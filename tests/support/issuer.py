"""An issuer of tokens: its keys, its key set over HTTP or HTTPS, and any token, right or forged."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from events.settings import Settings
from tests.support.listening import listening, port_of
from tests.support.waiting import wait_until

ISSUER, AUDIENCE = "https://issuer.example/", "taskreel"

_MAKERS: dict[str, Any] = {
    "RS": lambda: rsa.generate_private_key(65537, 2048),
    "PS": lambda: rsa.generate_private_key(65537, 2048),
    "ES": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed": ed25519.Ed25519PrivateKey.generate,
}


def settings_for(jwks: str, **more: Any) -> Settings:
    """Settings that trust the issuer."""
    return Settings(jwt_jwks=jwks, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, **more)


class SigningKey:
    """A key pair of the issuer's."""

    def __init__(self, algorithm: str = "ES256", key_id: str | None = None) -> None:
        self.algorithm = algorithm
        self.id = key_id or uuid4().hex
        self.private: Any = _MAKERS[algorithm[:2]]()

    @property
    def public(self) -> dict[str, Any]:
        """The public half as a JSON Web Key."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        key: Any = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**key, "kid": self.id, "alg": self.algorithm, "use": "sig"}

    @property
    def pem(self) -> bytes:
        """The public half as a file has it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token for `ada` of `acme`, but for these claims; None leaves one out."""
        payload = {key: value for key, value in (claims_of() | claims).items() if value is not None}
        return self.sign(json.dumps(payload).encode(), header)

    def sign(self, payload: bytes, header: Mapping[str, Any] | None = None) -> str:
        """A token with any payload; None leaves a member of the header out."""
        members = {"typ": "JWT", "alg": self.algorithm, "kid": self.id, **(header or {})}
        head = json.dumps({key: value for key, value in members.items() if value is not None}).encode()
        signed = f"{encoded(head)}.{encoded(payload)}"
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return f"{signed}.{encoded(algorithm.sign(signed.encode(), self.private))}"


def claims_of(subject: str = "ada") -> dict[str, Any]:
    """Claims that let somebody in for an hour."""
    now = int(time.time())
    who = {"sub": subject, "tenant": "acme", "role": "submit"}
    return {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 3600, **who}


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_set(*keys: SigningKey) -> bytes:
    """Public halves as a JSON Web Key Set."""
    return json.dumps({"keys": [key.public for key in keys]}).encode()


class KeyServer:
    """Serves a key set.

    Attributes:
        url: of it.
        body: of its answers.
        head: status and further headers of its answers.
        asked: how often it was asked.
        serving: how many requests are being answered.
        endless: whether its answers go on, a little at a time, until the client leaves.
    """

    def __init__(self, body: bytes) -> None:
        self.url = ""
        self.body = body
        self.head = "200 OK"
        self.asked = 0
        self.serving = 0
        self.endless = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.serving += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            writer.write(f"HTTP/1.1 {self.head}\r\nConnection: close\r\n\r\n".encode() + self.body)
            await writer.drain()
            while self.endless and not (reader.at_eof() or writer.is_closing()):
                writer.write(b" ")
                await asyncio.sleep(0.01)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.serving -= 1


@contextlib.asynccontextmanager
async def key_server(body: bytes, tls: ssl.SSLContext | None = None) -> AsyncGenerator[KeyServer]:
    """A server of a key set on a free port."""
    it = KeyServer(body)
    async with listening(it.serve, ssl=tls) as server:
        it.url = f"{'https' if tls else 'http'}://127.0.0.1:{port_of(server)}/keys"
        yield it
        await wait_until(lambda: not it.serving)
