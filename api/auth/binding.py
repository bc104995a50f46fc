"""Where a pod may listen when it asks nobody who they are."""

from __future__ import annotations

from events.errors import SettingsError
from events.loopback import is_loopback
from events.settings import Auth


def check_binding(auth: Auth, host: str) -> None:
    """Raises SettingsError if others could reach a pod that asks nobody who they are."""
    if auth is Auth.OFF and not is_loopback(host):
        raise SettingsError(
            f"this pod would listen on {host or 'all addresses'} and ask nobody who they are. "
            "Set TASKREEL_AUTH=keys (make one with `taskreel keys new`) or TASKREEL_AUTH=jwt, "
            "or listen on 127.0.0.1"
        )
