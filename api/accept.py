"""Content negotiation: RFC 9110, section 12.5.1, for the few types we have."""

from __future__ import annotations

from collections.abc import Sequence

from api.problems import Problem


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that the client likes best; among equals the first.

    Raises:
        Problem: 406, the client takes none of them.
    """
    ranges = [_parse(part) for part in (accept or "*/*").split(",") if part.strip()]
    quality, _, best = max((_quality(ranges, kind), -place, kind) for place, kind in enumerate(offered))
    if not quality > 0:  # NaN is no quality either
        raise Problem(
            406, "not_acceptable", "No such representation", f"This resource comes as {' or '.join(offered)}."
        )
    return best


def takes_event_stream(accept: str | None) -> bool:
    """Whether the client asks for server-sent events by name, as every EventSource does."""
    return "text/event-stream" in (accept or "").lower()


def _parse(part: str) -> tuple[str, float]:
    kind, *parameters = part.lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind.strip(), float(value)
            except ValueError:
                return kind.strip(), 0.0
    return kind.strip(), 1.0


def _quality(ranges: Sequence[tuple[str, float]], offered: str) -> float:
    """Of the ranges that match, the most specific one counts."""
    group = offered.partition("/")[0]
    for wanted in (offered, f"{group}/*", "*/*"):
        for kind, quality in ranges:
            if kind == wanted:
                return quality
    return 0.0
