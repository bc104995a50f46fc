"""Completion in the shell: installing it, and the graphs and tasks that a pod tells of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, cast

import typer
from typer.completion import (
    completion_init,  # pyright: ignore[reportPrivateImportUsage]
    install_callback,
    show_callback,
)

from cli.hints import DEFAULT_URL
from cli.text import clean, shorten
from cli.times import age
from events.model import Status, now_ms, parse_timestamp

ANSWER_SECONDS = 1.0
"""A pod that takes longer is not waited for: somebody has a finger on the tab key."""

LONGEST_TEXT = 60
MOST_PODS = 2
MOST_TASKS = 50

_NO_MARKUP = str.maketrans(dict.fromkeys("[]\"'`$\\", " "))

ASKS = ("--install-completion", "--show-completion")

completion_init()  # which Typer does only for its own two options


class Shell(StrEnum):
    """Shells that completion is there for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def with_shell(words: list[str]) -> list[str]:
    """The command line; where it asks for completion and names no shell, with the one it was typed in."""
    if not words or words[-1] not in ASKS:
        return words
    import shellingham

    try:
        return [*words, shellingham.detect_shell()[0]]
    except shellingham.ShellDetectionFailure:
        return words


def options(
    install: Annotated[
        Shell | None,
        typer.Option(
            "--install-completion",
            metavar="[SHELL]",
            help="Install completion for bash, zsh or fish; by default for this shell.",
            callback=install_callback,
            is_eager=True,
            expose_value=False,
        ),
    ] = None,
    show: Annotated[
        Shell | None,
        typer.Option(
            "--show-completion",
            metavar="[SHELL]",
            help="Print what --install-completion would install.",
            callback=show_callback,
            is_eager=True,
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Durable, resumable, replayable event streams for agent runs."""


Found = list[tuple[str, str]]


def graphs(context: typer.Context, incomplete: str) -> Found:
    """The graphs there are, each with the first line of its description."""
    listed = _ask(context, "/graphs", "graphs")
    found = [(str(one["name"]), str(one.get("description") or "").partition("\n")[0]) for one in listed]
    return _fitting(found, incomplete)


def any_task(context: typer.Context, incomplete: str) -> Found:
    """The newest tasks."""
    return _tasks(context, incomplete, "")


def waiting_task(context: typer.Context, incomplete: str) -> Found:
    """The newest tasks that wait for an answer."""
    return _tasks(context, incomplete, f"&status={Status.WAITING}")


def unfinished_task(context: typer.Context, incomplete: str) -> Found:
    """Those of the newest tasks that have not ended."""
    return [one for one in _tasks(context, incomplete, "") if not one[1].startswith(_FINAL)]


_FINAL = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


def _tasks(context: typer.Context, incomplete: str, query: str) -> Found:
    listed = _ask(context, f"/tasks?limit={MOST_TASKS}{query}", "tasks")
    now = now_ms()
    found = [(str(one["task_id"]), f"{one['status']} {one['graph']} {_age(one, now)}") for one in listed]
    return _fitting(found, incomplete)


def _age(task: dict[str, Any], now: int) -> str:
    return age((now - parse_timestamp(task["created_at"])) / 1000)


def _fitting(found: Found, incomplete: str) -> Found:
    return [(clean(word), clean(_brief(told))) for word, told in found if word.startswith(incomplete)]


def _brief(text: str) -> str:
    """A text that Typer leaves on one line, in which it would find no markup, and the shell no quotes."""
    return shorten(text.translate(_NO_MARKUP), LONGEST_TEXT)


def _ask(context: typer.Context, path: str, member: str) -> Sequence[dict[str, Any]]:
    """What the first pod that answers lists; nothing if none does, for a shell has no place for errors."""
    import httpx

    from cli.failures import InvalidRequest
    from cli.wire import authorization, environment_token

    try:
        headers = authorization(environment_token())
    except InvalidRequest:
        return []
    given = context.params.get("url") or os.environ.get("TASKREEL_URL") or DEFAULT_URL
    for url in str(given).split(",")[:MOST_PODS]:
        try:
            answer = httpx.get(url.strip().rstrip("/") + path, headers=headers, timeout=ANSWER_SECONDS)
            return cast("list[dict[str, Any]]", answer.raise_for_status().json()[member])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            continue
    return []
