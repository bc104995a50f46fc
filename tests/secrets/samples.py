"""Secrets of every kind that is known, none of which opens anything. They are put together as they are used:
a scanner of this repository must not take them for real ones."""

from __future__ import annotations

_HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_MIXED = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7b"

SAMPLES = {
    "openai": "sk-" + "proj-" + _MIXED,
    "anthropic": "sk-" + "ant-api03-" + _MIXED,
    "stripe": "sk_" + "live_" + _HEX,
    "aws": "AKIA" + "QWERTYUIOPASDFGH",
    "aws-session": "ASIA" + "QWERTYUIOPASDFGH",
    "github": "ghp_" + _MIXED[:36],
    "github-oauth": "gho_" + _MIXED[:36],
    "github-server": "ghs_" + _MIXED[:36],
    "github-fine-grained": "github_" + "pat_" + _HEX + "_" + _MIXED,
    "gitlab": "glpat-" + _MIXED[:20],
    "slack": "xoxb-" + "123456789012-" + _MIXED[:24],
    "slack-app": "xapp-" + "1-A0123456789-" + _HEX,
    "google": "AIza" + _MIXED[:35],
    "google-client": "GOCSPX-" + _MIXED[:28],
    "hugging-face": "hf_" + _MIXED[:34].replace("_", "a"),
    "npm": "npm_" + _MIXED[:36],
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + _MIXED + _HEX,
    "taskreel": "tr_" + "abcdef123456" + "_" + _MIXED + "xyz",
    "jwt": "eyJ" + "hbGciOiJub25lIn0." + "eyJ" + "zdWIiOiJhZGEifQ." + _MIXED,
    "pem": "-----BEGIN "
    + "RSA PRIVATE KEY-----\nProc-Type: 4\n\n"
    + _HEX
    + "\n-----END RSA PRIVATE KEY-----",
    "pem-cut": "-----BEGIN " + "OPENSSH PRIVATE KEY-----\n" + _MIXED,
}
"""Secrets that are known by their look alone, whatever is around them."""

CARRIED = {
    "bearer": ("Bearer {}", _MIXED),
    "basic": ("basic {}", "dXNlcjpPcGVuU2VzYW1l"),
    "url": ("postgres://ada:{}@db.example.com:5432/app", "0penSesame!"),
    "url-no-user": ("redis://:{}@cache/0", "0penSesame!"),
    "header-of-another-scheme": ("Authorization: {}", "ApiKey 0123456789abcdef"),
    "header-with-a-list": ("Authorization: Digest {}", 'username="u", response="deadbeef"'),
    "header-with-little": ("Authorization: {}", "Bearer abc"),
    "password": ("connect(user=ada, password={}, host=db)", "0penSesame!"),
    "quoted": ('secret: "{}"', "open sesame of old"),
    "json": ('{{"user": "ada", "api_key": "{}"}}', "0pen sesame"),
    "json-in-json": ('{{\\"client_secret\\": \\"{}\\"}}', "0pen sesame"),
    "header": ("Authorization: Bearer {}", "0penSesame"),
    "odd-header": ("X-Api-Key: {}", "0penSesame"),
    "query": ("GET /tasks?access_token={}&page=2", "0penSesame"),
    "ticket": ("GET /tasks/1/stream?ticket={}", _MIXED),
    "environment": ("export AWS_SECRET_ACCESS_KEY={}", _MIXED),
}
"""Texts that tell what is a secret by what is around it, and the secret."""

INNOCENT = (
    "task-0123456789012345678901234567 is done",
    "sk-toggleable__control sk-hidden--visually sk-estimator-doc-link",
    "a basic understanding of bearer securities",
    "the token: 5 tokens, and more tokens: 512",
    "password: str",
    "the secret of it is: practice",
    "http://localhost:8000/@scope/package?page=2",
    "see https://ada@example.com/ and mailto:ada@example.com",
    "c0ffee00-1234-4abc-8def-0123456789ab",
    "run--019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b",
    "eyJustAWord.eyJ",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
)
"""What looks a little like a secret and is none."""
