"""Lengths of time in words, for people. Pure."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86_400


def span(seconds: float) -> str:
    """A length of time: `0.4 s`, `12.4 s`, `3 min 05 s`, `2 h 05 min`, `3 d 04 h`."""
    whole = int(seconds)
    if seconds < MINUTE:
        return f"{max(seconds, 0.0):.1f} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"
    return f"{whole // DAY} d {whole % DAY // HOUR:02} h"


def age(seconds: float) -> str:
    """A length of time in four characters or so: `now`, `12s`, `3m`, `2h`, `5d`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "now"
