"""Redactor: takes secrets out of what is kept and told.

It sees JSON values, and knows secrets by what they look like (`events/patterns`) and by the name they go
under. What a graph is given, and what it checkpoints, is not redacted: it may need the key that its user
gave it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_core import SchemaValidator, core_schema

from events.model import JSON, EventType
from events.patterns import LIKELY_NAME, LOOK, MARK, SECRETS, SURE_NAME, SUSPICION

_OURS: Mapping[str, frozenset[str]] = {
    EventType.TASK_SUBMITTED: frozenset({"graph", "trace_id"}),
    EventType.MESSAGE_DELTA: frozenset({"message_id"}),
    EventType.MESSAGE_COMPLETED: frozenset({"message_id"}),
    EventType.TASK_RESUMED: frozenset({"interrupt_id"}),
    EventType.TASK_FAILED: frozenset({"code", "traceback_id"}),
}
"""Names and ids that others refer to; however they look, they stay."""

# pydantic's engine is Rust's, which takes time linear in the text and is four times as fast as Python's here.
_suspicion = SchemaValidator(core_schema.str_schema(pattern=SUSPICION)).isinstance_python


class Redactor:
    """Takes secrets out of values.

    Args:
        more: regular expressions besides the usual ones; of one with a group, the group is the secret.
        defaults: whether to look for the usual ones.
    """

    def __init__(self, more: Sequence[str] = (), *, defaults: bool = True) -> None:
        self._defaults = defaults
        self._more = tuple(re.compile(source) for source in more)
        self._all = (*SECRETS, *self._more) if defaults else self._more

    def suspects(self, told: str | bytes) -> bool:
        """Whether a text, or JSON, may hold a secret; cheap, and never wrongly no."""
        # JSON spells out quotes and line ends, so an expression that nobody knows can't be tried on it.
        return bool(self._more) or (self._defaults and _suspicion(told))

    def data(self, kind: str, data: Mapping[str, JSON]) -> dict[str, JSON]:
        """The data of an event of that type, plain JSON, without the secrets in it."""
        if kind == EventType.TASK_INTERRUPTED:
            questions = cast("list[dict[str, JSON]]", data["interrupts"])
            told = [{**question, "value": self.value(question["value"])} for question in questions]
            return {**data, "interrupts": told}
        ours = _OURS.get(kind)
        if ours is None:
            return self.value(data)
        return {name: value if name in ours else self.value(value) for name, value in data.items()}

    def value(self, value: JSON) -> JSON:
        """Plain JSON of the same shape, without the secrets in its texts, its keys, and under its keys."""
        return self._value(value, None)

    def text(self, text: str) -> str:
        """The text without the secrets in it."""
        return _without(self._all, text)

    def _value(self, value: JSON, held: re.Pattern[str] | None) -> JSON:
        """A value; what looks as `held` says is a secret by its name."""
        if isinstance(value, str):
            return MARK if held and held.match(value) else self._text(value)
        if isinstance(value, dict):
            return self._object(cast("dict[str, Any]", value))
        if isinstance(value, list):
            return [self._value(item, held) for item in cast("list[Any]", value)]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return MARK if held is _ANYTHING and is_number else value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        told, copies = dict[str, Any](), 1
        for name, item in value.items():
            shown = self._text(name)
            while shown in told:
                copies += 1
                shown = f"{MARK} {copies}"
            told[shown] = self._value(item, self._named(name))
        return told

    def _text(self, text: str) -> str:
        """As `text`, for what has been JSON: lone surrogates, which Rust takes for no text, it has none."""
        suspect = self._defaults and _suspicion(text)
        return _without(self._all if suspect else self._more, text)

    def _named(self, name: str) -> re.Pattern[str] | None:
        """What a value of that name looks like if it is a secret; None if the name tells nothing."""
        if not self._defaults:
            return None
        if SURE_NAME.search(name):
            return _ANYTHING
        return LOOK if LIKELY_NAME.search(name) else None


_ANYTHING = re.compile(r"(?s).")

USUAL = Redactor()
"""Looks for secrets of the usual kinds."""


def _without(patterns: Sequence[re.Pattern[str]], text: str) -> str:
    for pattern in patterns:
        text = pattern.sub(_replaced, text)
    return text


def _replaced(found: re.Match[str]) -> str:
    group = found.lastindex or 0
    if found.start(group) == found.end(group):
        return found[0]
    start = found.start()
    return f"{found[0][: found.start(group) - start]}{MARK}{found[0][found.end(group) - start :]}"
