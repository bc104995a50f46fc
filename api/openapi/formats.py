"""How the text in requests and answers is spelled, for the OpenAPI document.

What comes from a client is checked where it is read, with an answer of its own; here it is only told.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter, WithJsonSchema

from events.model import MAX_PART, EventType


def _up_to(most: int) -> str:
    """A regular expression for the decimal numbers from 0 to that one, in their one spelling."""
    digits = str(most)
    shorter = f"[1-9][0-9]{{0,{len(digits) - 2}}}"
    smaller = [
        f"{digits[:place]}[{'1' if place == 0 else '0'}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if int(digit) > (1 if place == 0 else 0)
    ]
    return f"(0|{'|'.join([shorter, *smaller, digits])})"


_EVENT_ID = f"{_up_to(MAX_PART)}-{_up_to(MAX_PART)}"
_WORDS = "|".join(EventType).replace(".", "\\.")
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_KEY = "^[!-~]([ -~]*[!-~])?$"

EventIdText = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": f"^{_EVENT_ID}$", "examples": ["1-57"]})
]
CursorText = Annotated[
    str | None, WithJsonSchema({"type": "string", "pattern": f"^({_EVENT_ID})?$", "examples": ["1-57"]})
]
TypesText = Annotated[
    str | None,
    WithJsonSchema(
        {"type": "string", "pattern": f"^({_WORDS})(,({_WORDS}))*$", "examples": ["progress,node.completed"]}
    ),
]
TaskId = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "pattern": _UUID})]
IdempotencyKey = Annotated[str, WithJsonSchema({"type": "string", "pattern": _KEY, "maxLength": 255})]
ListCursor = Annotated[
    str | None, WithJsonSchema({"type": "string", "description": "the `next` of the page before"})
]
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of one of these types."""
    return TypeAdapter[Any](kind).json_schema()
