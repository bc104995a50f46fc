"""Settings for JWTs: what would let in everybody is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.auth.jwt import Jwt
from events.errors import SettingsError
from events.settings import load
from tests.support.issuer import settings_for


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("jwt_algorithms", "HS256", "public key signatures"),
        ("jwt_algorithms", "RS256,none", "public key signatures"),
        ("jwt_algorithms", "", "public key signatures"),
        ("jwt_jwks", "http://issuer.example/keys", "an https:// URL"),
        ("jwt_jwks", "ftp://issuer.example/keys", "an https:// URL"),
        ("jwt_jwks", "https://", "an https:// URL"),
    ],
)
def test_unsafe_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, says: str
) -> None:
    """A secret that is public, no signature at all, keys that anybody on the way can replace."""
    monkeypatch.setenv(f"TASKREEL_{setting.upper()}", value)
    with pytest.raises(SettingsError, match=says):
        load()


@pytest.mark.parametrize("missing", ["jwt_jwks", "jwt_issuer", "jwt_audience"])
def test_no_setting_is_guessed(missing: str) -> None:
    """A token of any issuer, or for any audience, would else let its bearer in."""
    settings = settings_for("https://issuer.example/keys").model_copy(update={missing: None})
    with pytest.raises(SettingsError, match=f"TASKREEL_{missing.upper()} is not set"):
        Jwt(settings)


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"{}", "no JSON Web Key Set"), (b'{"keys": []}', "no public key")],
)
def test_a_file_that_holds_no_keys_is_told_at_the_start(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    """In one line that names the setting."""
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"TASKREEL_JWT_JWKS='.*' is wrong: .*{says}"):
        Jwt(settings_for(str(file)))
