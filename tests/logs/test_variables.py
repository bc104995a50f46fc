"""Variables that look like settings, and the table of those that are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from events.settings import PREFIX, Settings
from events.variables import OTHERS, doubts

TABLE = Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TASKREEL_RETENTION_SECOND", "is TASKREEL_RETENTION_SECONDS meant?"),
        ("taskreel_redis_ulr", "is TASKREEL_REDIS_URL meant?"),
        ("TASKREEL_QQQQ", "docs/protocol.md lists those there are"),
    ],
)
def test_a_misspelt_variable_is_told_of(name: str, said: str) -> None:
    """With the one that is nearest."""
    [doubt] = doubts([name, "TASKREEL_POOL", "PATH"])
    assert doubt == f"{name} is no setting and does nothing; {said}"


def test_others_variables_are_left_alone() -> None:
    """What is set, in any case, what commands read, and what Kubernetes tells of services."""
    names = [PREFIX + name.upper() for name in Settings.model_fields]
    kubernetes = [
        "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR",
        "API_SERVICE_HOST", "API_PORT_8000_TCP_PROTO",
    ]  # fmt: skip
    names += [PREFIX + name for name in (*OTHERS, *kubernetes, "API_PASSWORD")]
    assert list(doubts([*names, "taskreel_pool", "HOME"])) == []


def documented() -> set[str]:
    """The variables that the table of settings has a row for."""
    section = TABLE.read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    found = set[str]()
    for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE):
        names: list[str] = re.findall(r"`([A-Z_]+)`", row)
        found |= {name if name.startswith(PREFIX) else f"{PREFIX}JWT{name}" for name in names}
    return found


def test_every_setting_has_its_row() -> None:
    """And every row its setting."""
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    assert documented() == settings | {PREFIX + name for name in OTHERS}


def test_the_defaults_in_the_table_hold() -> None:
    """Where the table gives a number or a word."""
    section = TABLE.read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `TASKREEL_([A-Z_]+)` \| `?([^`|( ]+)`?[^|]*\|", section, re.MULTILINE)
    assert len(rows) > 20
    for name, shown in rows:
        field = Settings.model_fields.get(name.lower())
        if field is not None and shown not in ("the",):
            default = field.default
            told = str(default).lower() if isinstance(default, bool) else str(default)
            assert shown == told, name
