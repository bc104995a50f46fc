"""The examples of a document, taken out of it to be run as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CLIENTS = Path(__file__).parents[2] / "docs" / "clients.md"

DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""The environment of an example: no proxy stands between it and this machine."""

_BLOCK = re.compile(r"(?:<!-- ([\w.-]+) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def snippets(document: Path = CLIENTS, where: Mapping[str, str] | None = None) -> dict[str, str]:
    """The document's code blocks by the name in the comment before each.

    Args:
        document: the page.
        where: what to put in place of a `host:port` of the page's; nothing else is changed.

    Raises:
        ValueError: a block has no name, or the name of another one.
    """
    found: dict[str, str] = {}
    for name, language, text in _BLOCK.findall(document.read_text()):
        if not name or name in found:
            raise ValueError(f"a {language or 'plain'} block has no name of its own: {text[:40]!r}")
        for place, real in (where or {}).items():
            text = text.replace(place, real)
        found[name] = text
    return found


def save(texts: Mapping[str, str], folder: Path, *names: str) -> None:
    """Write the named blocks into a folder, as files of their names."""
    for name in names:
        (folder / name).write_text(texts[name])


def _event(seq: int, kind: str, run: str | None = None, **data: Any) -> tuple[str, dict[str, Any]]:
    of_node = {} if run is None else {"node": "work", "run": run}
    return kind, {"seq": seq, "attempt": 1, "type": kind, "ts": "", **of_node, "data": data}


STORY = (
    _event(1, "task.submitted", graph="g"),
    _event(2, "attempt.started", supersedes=[]),
    _event(3, "node.started", "a"),
    _event(4, "node.started", "b"),
    _event(5, "progress", "a", message="half", current=1, total=2),
    _event(6, "message.delta", "a", message_id="m", text="Once "),
    _event(7, "message.delta", "a", message_id="m", text="twice "),
    _event(8, "progress", "b", percent=150),
    _event(9, "node.completed", "b", update={}),
    ("stream.gap", {"requested": "1-9", "first_available": "1-12", "missing": 2}),
    _event(12, "task.interrupted", interrupts=[{"id": "q", "value": "Why?"}]),
    _event(13, "progress", "a", percent=20),
    _event(14, "node.completed", "c", update={}),
    ("stream.rewound", {"requested": "1-14", "last": "1-12"}),
    _event(12, "task.interrupted", interrupts=[{"id": "x", "value": "Twice?"}]),
)
"""What a stream told of a task, up to where it waits: a gap, a roll-back, and an event that comes again."""

NEXT_ATTEMPT = (
    _event(13, "attempt.started", supersedes=[3, 5, 6, 7]),
    _event(14, "progress", "c", current=1, total=0, supersedes=[4]),
    _event(15, "progress", "d", percent="half"),
    _event(16, "message.delta", "a", message_id="n", text="Anew"),
    _event(17, "message.completed", "a", message_id="n", role="ai", text="Anew."),
    _event(18, "task.failed", code="graph_error", message="no"),
)
"""How it went on when another attempt did the unfinished node again."""
