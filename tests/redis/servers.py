"""Servers as operators set them up, with the users of deploy/redis."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

from tests.support.server import Server, server

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "user admin on >admin ~* &* +@all"


@contextlib.contextmanager
def guarded_server(name: str, folder: Path, more: str = "") -> Generator[Server]:
    """A server with the users of deploy/redis, each of which has its name as password, `admin` and more."""
    users = folder / "users.acl"
    users.write_text(f"{filled()}{ADMIN}\n{more}\n")
    # DEBUG is otherwise refused to everybody, which would prove nothing of the users.
    with server(name, "--aclfile", str(users), "--enable-debug-command", "yes") as it:
        yield it


def filled(**passwords: str) -> str:
    """What deploy/redis/fill.sh makes of users.acl; without passwords, each user has its name as one."""
    given = passwords or {name: name for name in ("api", "worker", "queue", "ops")}
    environment = {f"TASKREEL_{name.upper()}_PASSWORD": value for name, value in given.items()}
    command = ["sh", str(ROOT / "deploy/redis/fill.sh")]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    ).stdout
