"""What to do next, as commands that can be copied. Pure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from cli.text import clean, json_line
from cli.wire import environment_token

DEFAULT_URL = "http://127.0.0.1:8000"

MOST_OPTIONS = 4
"""Answers that a question offers; more of them are not spelled out."""

_NEXT = {
    "task_not_found": "`taskreel ls` lists what there is",
    "log_expired": "`taskreel ls` lists what is kept",
    "forbidden": "TASKREEL_TOKEN has to be of another role",
    "key_reused": "Give another --idempotency-key",
    "not_waiting": "`taskreel show {task}` tells how it is",
    "already_ended": "`taskreel show {task}` tells how",
}


def command(*words: str, url: str) -> str:
    """A command line of `taskreel`; with `--url` where it would ask another pod without."""
    usual = os.environ.get("TASKREEL_URL") or DEFAULT_URL
    where = [] if url == usual else ["--url", url]
    return clean(shlex.join(["taskreel", *words, *where]))


def broken(line: str, width: int) -> list[str]:
    r"""A command in lines that a shell takes as one, broken by `\` before its options if it is too long."""
    if len(line) + 2 <= width:
        return [f"  {line}"]
    parts: list[list[str]] = [[]]
    for word in shlex.split(line):
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    first, *others = map(shlex.join, parts)
    return " \\\n".join([f"  {first}", *(f"    {each}" for each in others)]).split("\n")


def follow_again(task_id: str, cursor: str | None, url: str) -> str:
    """The command that goes on where a follower stopped."""
    return command("tail", task_id, *(["--after", cursor] if cursor else []), url=url)


def answers(task_id: str, interrupts: Sequence[Mapping[str, Any]], url: str) -> list[str]:
    """A command for each answer that is offered, or one a question with `"…"` in the answer's place."""
    several = len(interrupts) > 1
    return [
        command(
            "resume",
            task_id,
            *(["--interrupt", str(one.get("id"))] if several else []),
            "--value",
            json_line(option),
            url=url,
        )
        for one in interrupts
        for option in _options(one.get("value"))
    ]


def after_refusal(code: str, document: Mapping[str, Any], task_id: str) -> str:
    """What to do about a refusal of that code; empty if its detail says all."""
    if "interrupt_ids" in document:
        return f"--interrupt takes {' or '.join(map(str, document['interrupt_ids']))}"
    if code == "thread_busy":
        busy = str(document.get("task", "")).rpartition("/")[2]
        return f"`taskreel tail {busy}` follows it, `taskreel cancel {busy}` ends it"
    if code == "invalid_input":
        failures: list[dict[str, Any]] = document.get("errors", [])
        return "; ".join(map(_failure, failures))
    if code == "task_not_found" and not task_id:
        return "Is the URL (--url, TASKREEL_URL) the pod's own, without a path?"
    if code == "unauthenticated":
        return "Is TASKREEL_TOKEN right?" if environment_token() else "Set TASKREEL_TOKEN to a key or a token"
    return _NEXT.get(code, "").format(task=task_id)


def readable(rest: Any) -> Any:
    """What of a question a person reads: without its options, which stand in the commands, and its schema."""
    if not isinstance(rest, dict):
        return rest
    offered = cast("dict[str, Any]", rest)
    left_out = {"schema"} if _options(offered) == ["…"] else {"schema", "options"}
    return {name: value for name, value in offered.items() if name not in left_out}


def _failure(failure: Mapping[str, Any]) -> str:
    where = failure.get("path") or "the input"
    return f"{where}: {failure.get('rule')}, expected {json_line(failure.get('expected'))}"


def _options(question: Any) -> list[Any]:
    """What an author lists as `options` beside the question, by custom."""
    found = cast("dict[str, Any]", question).get("options") if isinstance(question, dict) else None
    options = cast("list[Any]", found) if isinstance(found, list) else []
    return options if 0 < len(options) <= MOST_OPTIONS else ["…"]
