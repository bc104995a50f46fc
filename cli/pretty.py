"""JSON laid out for people: one line where it fits, indented members where not, texts as texts. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, cast

from cli.text import clean, json_line

NARROWEST = 20
"""Columns that a text has at least, however deep it stands."""


def pretty(value: Any, width: int) -> list[str]:
    """The value in lines of about `width` columns, safe to print; what holds line breaks keeps them."""
    one = _inline(value)
    if len(one) <= width and not _has_lines(value):
        return [one]
    if isinstance(value, dict):
        return [line for name, each in _members(value) for line in _member(f"{name}:", each, width)]
    if isinstance(value, list):
        return list(_items(cast("list[Any]", value), width))
    return _text(value, width) if isinstance(value, str) else [one]


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    return ((clean(str(name)), each) for name, each in cast("dict[str, Any]", value).items())


def _member(head: str, value: Any, width: int) -> list[str]:
    """What belongs to a name: beside it if that fits, else below it."""
    lines = pretty(value, max(width - 2, NARROWEST))
    if len(lines) == 1 and len(head) + 1 + len(lines[0]) <= width:
        return [f"{head} {lines[0]}"]
    return [head, *(f"  {line}".rstrip() for line in lines)]


def _items(values: list[Any], width: int) -> Iterator[str]:
    if not any(isinstance(each, dict | list) or _has_lines(each) for each in values):
        yield from textwrap.wrap(_inline(values), max(width, NARROWEST))
        return
    for each in values:
        first, *others = pretty(each, max(width - 2, NARROWEST))
        yield f"- {first}"
        yield from (f"  {line}" for line in others)


def _text(text: str, width: int) -> list[str]:
    return prose(text, width) if "\n" in text else textwrap.wrap(json_line(text), max(width, NARROWEST))


def prose(text: str, width: int) -> list[str]:
    """A text in lines of about `width` columns, safe to print; its own line breaks stay."""
    lines = (textwrap.wrap(clean(line), max(width, NARROWEST)) or [""] for line in text.splitlines())
    return [line for wrapped in lines for line in wrapped]


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        members = (
            f"{json_line(name)}: {_inline(each)}" for name, each in cast("dict[str, Any]", value).items()
        )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, cast("list[Any]", value))) + "]"
    return json_line(value)


def _has_lines(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_lines, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(_has_lines, cast("list[Any]", value)))
    return isinstance(value, str) and "\n" in value.strip("\n")
