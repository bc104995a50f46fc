"""A pod that asks nobody who they are listens where nobody else comes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from api.auth.binding import check_binding
from events.errors import SettingsError
from events.settings import Auth


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_nobody_need_be_asked(host: str) -> None:
    """Only this machine comes there."""
    check_binding(Auth.OFF, host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "0", "10.0.0.1", "::ffff:127.0.0.1", "example.com", "127.1", "localhost."]
)
def test_elsewhere_somebody_must_be(host: str) -> None:
    """Also where a name might be this machine's; with credentials any address will do."""
    with pytest.raises(SettingsError, match="TASKREEL_AUTH=keys"):
        check_binding(Auth.OFF, host)
    check_binding(Auth.KEYS, host)
    check_binding(Auth.JWT, host)


@pytest.mark.parametrize("command", ["api", "up"])
def test_a_process_refuses_to_start(command: str, redis_port: int) -> None:
    """One line says why and what to do, and nothing listens."""
    environment = {**os.environ, "TASKREEL_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}
    environment.pop("TASKREEL_AUTH", None)
    words = [sys.executable, "-P", "-m", "cli.main", command, "--host", "0.0.0.0", "--port", "8799"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == (2 if command == "api" else 1)
    (line,) = ended.stderr.splitlines()
    assert "ask nobody who they are" in line
    assert "taskreel keys new" in line
    assert not ended.stdout
