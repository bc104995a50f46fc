"""`taskreel keys`: API keys, made, listed and revoked in Redis itself, for no pod may make one.

What talks to Redis is imported when a command runs, so that `--help` and pods need not load it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import Json
from events.tenancy import TENANT

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw])")

app = typer.Typer(
    help="Make, list and revoke API keys, which pods with TASKREEL_AUTH=keys ask for.",
    epilog="They are in Redis: at TASKREEL_REDIS_URL, or that of the `taskreel up` in this folder.",
)


def read_tenant(text: str) -> str:
    """A tenant's name. Raises BadParameter."""
    if TENANT.fullmatch(text) is None:
        raise typer.BadParameter(
            f"{text!r} is no tenant: 1 to 63 of a-z, 0-9, _ and -, a letter or digit first"
        )
    return text


def read_name(text: str) -> str:
    """The name of a key's bearer. Raises BadParameter."""
    from events.apikeys import NAME

    if NAME.fullmatch(text) is None:
        raise typer.BadParameter(
            f"{text!r} is no name: 1 to 128 of A-Z, a-z, 0-9 and ._@+-, a letter or digit first"
        )
    return text


def read_role(text: str) -> str:
    """A role. Raises BadParameter."""
    from events.apikeys import Role

    if text not in set(Role):
        raise typer.BadParameter(f"{text!r} is no role: it takes {', '.join(Role)}")
    return text


def read_expiry(text: str) -> datetime:
    """When a key is to expire: a span from now on, or a time of RFC 3339. Raises BadParameter."""
    span = _SPAN.fullmatch(text)
    try:
        now = datetime.now(UTC).replace(microsecond=0)
        found = (
            now + timedelta(seconds=int(span[1]) * _UNITS[span[2]]) if span else datetime.fromisoformat(text)
        )
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no expiry: it takes 12h, 30d, 8w or 2027-01-31T00:00:00Z")
    if found <= datetime.now(UTC):
        raise typer.BadParameter(f"{text!r} is over already")
    return found


Data = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Where `taskreel up` keeps its data, if TASKREEL_REDIS_URL is unset."),
]


@app.command(
    epilog="\b\nExamples:\n  KEY=$(taskreel keys new --name ada --role submit --expires 30d)\n"
    "  taskreel keys new --tenant acme --name ci --role ops --declare"
)
def new(
    name: Annotated[str, typer.Option(parser=read_name, metavar="NAME", help="Who is to have it.")],
    role: Annotated[
        str,
        typer.Option(
            parser=read_role,
            metavar="submit|read|ops",
            help="submit: tasks of its own. read: sees all. ops: all of it, with all tasks.",
        ),
    ],
    tenant: Annotated[
        str, typer.Option(parser=read_tenant, metavar="TENANT", help="Whose tasks it is for.")
    ] = "default",
    expires: Annotated[
        Any, typer.Option(parser=read_expiry, metavar="30d|TIME", help="When it ends; by default never.")
    ] = None,
    declare: Annotated[
        bool, typer.Option("--declare", help="Store nothing; print the record for TASKREEL_API_KEYS too.")
    ] = False,
    as_json: Json = False,
    data: Data = Path(".taskreel"),
) -> int:
    """Make a key, and print it: this once, for it is kept nowhere.

    Two keys with one name are one principal; so a key is replaced without losing what it has submitted.
    """
    from cli import keyring
    from events.apikeys import Role, new_key

    key, record = new_key(tenant, name, Role(role), expires)
    if declare:
        return keyring.declare(key, record, as_json=as_json)
    return keyring.run(data, keyring.add(key, record, as_json=as_json))


@app.command(epilog="\b\nExamples:\n  taskreel keys ls\n  taskreel keys ls --tenant acme --json")
def ls(
    tenant: Annotated[
        str | None, typer.Option(parser=read_tenant, metavar="TENANT", help="Only this tenant's.")
    ] = None,
    as_json: Json = False,
    data: Data = Path(".taskreel"),
) -> int:
    """List the keys there are, without their secrets."""
    from cli import keyring

    return keyring.run(data, keyring.ls(tenant, as_json=as_json))


@app.command(epilog="Example: taskreel keys revoke 3k9x0q2m7a1b")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id; `taskreel keys ls` has it.")],
    data: Data = Path(".taskreel"),
) -> int:
    """Revoke a key; the streams it has opened end.

    A key that TASKREEL_API_KEYS declares is revoked by taking it out there.
    """
    from cli import keyring

    return keyring.run(data, keyring.revoke(key_id))
