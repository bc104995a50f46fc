"""Making text that came from outside safe to print. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson

# C0 and C1 controls (a terminal obeys U+009B as it does ESC [), line separators, byte order marks, marks that
# reverse the order of what follows, and lone surrogates, which no encoding takes.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean(text: str, keep: str = "") -> str:
    r"""The text with every character that a terminal might obey spelled out, such as \x1b; one line.

    Characters in `keep` stay as they are.
    """
    return _UNSAFE.sub(
        lambda found: found[0] if found[0] in keep else found[0].encode("unicode_escape").decode(), text
    )


def json_line(value: Any) -> str:
    """The value as JSON on one line, which a terminal shows and does not obey."""
    text = orjson.dumps(value).decode()
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shorten(text: str, most: int) -> str:
    """The text, cut to `most` characters; an ellipsis tells that it was."""
    return text if len(text) <= most else text[: most - 1] + "…"
