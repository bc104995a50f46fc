"""API keys that a setting declares, for who keeps configuration in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.auth.apikeys import ApiKeys
from events.apikeys import KeyDirectory, Role, new_key, read_declared
from events.connect import connect
from events.errors import SettingsError
from events.keys import Keys

KEY, RECORD = new_key("acme", "ci", Role.OPS)


def declaration(**changes: Any) -> str:
    """The setting, with one record in it."""
    return json.dumps([{**RECORD.model_dump(mode="json"), **changes}])


@pytest.mark.parametrize("in_a_file", [True, False])
async def test_a_declared_key_needs_no_redis(tmp_path: Path, in_a_file: bool) -> None:
    """It lets its bearer in while Redis is away; another secret lets nobody in."""
    file = tmp_path / "keys.json"
    file.write_text(declaration())
    declared = read_declared(f"@{file}" if in_a_file else declaration())
    client = connect("redis://127.0.0.1:1/0")
    api_keys = ApiKeys(KeyDirectory(client, Keys()), declared)
    principal = await api_keys.authenticate(KEY)
    assert principal
    assert (principal.tenant, principal.subject, principal.role) == ("acme", "ci", Role.OPS)
    assert await api_keys.authenticate(f"tr_{RECORD.id}_{'s' * 43}") is None
    await client.aclose()


def test_nothing_is_declared_by_default() -> None:
    """An empty setting is none."""
    assert read_declared("") == read_declared("  ") == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("no JSON", "wrong at the whole: json_invalid"),
        ("{}", "wrong at the whole: list_type"),
        ({"role": "admin"}, "wrong at 0/role: enum"),
        ({"tenant": "../x"}, "wrong at 0/tenant: string_pattern_mismatch"),
        ({"tenant": "a\n"}, "wrong at 0/tenant: string_pattern_mismatch"),
        ({"name": ""}, "wrong at 0/name: string_pattern_mismatch"),
        ({"hash": RECORD.hash[1:]}, "wrong at 0/hash: string_pattern_mismatch"),
        ({"expires_at": "2026-01-01T00:00:00"}, "wrong at 0/expires_at: timezone_aware"),
        ({"expire_at": "2026-01-01T00:00:00Z"}, "wrong at 0/expire_at: extra_forbidden"),
        ("@/nowhere/keys.json", "can't be read: No such file"),
        ("@/proc/self/exe", "a file that isn't JSON"),
    ],
)
def test_a_wrong_declaration_is_one_line_that_repeats_nothing(given: str | dict[str, Any], says: str) -> None:
    """A key that would never expire for a typing error is refused; no hash gets into a log."""
    with pytest.raises(SettingsError) as error:
        read_declared(given if isinstance(given, str) else declaration(**given))
    message = str(error.value)
    assert message.startswith("TASKREEL_API_KEYS ")
    assert says in message
    assert "\n" not in message
    assert RECORD.hash[1:] not in message


def test_two_keys_of_one_id_are_refused() -> None:
    """One of them would be there without effect."""
    records = [*json.loads(declaration()), *json.loads(declaration(name="other"))]
    with pytest.raises(SettingsError, match="two keys with the same id"):
        read_declared(json.dumps(records))
