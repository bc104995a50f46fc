"""Invents the prices: what `python -m examples.analysts.invent` prints is the file `prices.csv`."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate, islice
from math import exp
from random import Random

FIRST_DAY = date(2025, 1, 2)
DAYS = 250

Stretch = tuple[int, float, float]
"""For so many days, the drift and the spread of a day's log return, both in percent."""

CHARACTERS: dict[str, tuple[float, Sequence[Stretch]]] = {
    "ALDER": (84.0, [(250, 0.11, 0.7)]),
    "BRIAR": (46.0, [(250, 0.05, 3.2)]),
    "CRANE": (61.0, [(250, 0.045, 0.35)]),
    "DUNES": (118.0, [(250, -0.14, 1.2)]),
    "EMBER": (152.0, [(90, 0.08, 1.0), (18, -2.9, 2.4), (142, 0.40, 1.5)]),
    "FJORD": (73.0, [(60, 0.32, 1.1), (65, -0.30, 1.1), (60, 0.32, 1.1), (65, -0.30, 1.1)]),
    "GLYPH": (29.0, [(170, 0.45, 2.0), (30, -2.2, 3.0), (50, -0.25, 2.2)]),
    "HAZEL": (95.0, [(180, -0.01, 0.6), (70, 0.55, 1.3)]),
}
"""The price that each ticker starts at, and what becomes of it."""


def table() -> Iterator[str]:
    """Yield the lines of the file: a header, then for each weekday its date and each ticker's close."""
    yield ",".join(["date", *CHARACTERS])
    for day, closes in zip(_weekdays(), zip(*map(_closes, CHARACTERS), strict=True), strict=False):
        yield ",".join([day.isoformat(), *(f"{close:.2f}" for close in closes)])


def _weekdays() -> Iterator[date]:
    days = (FIRST_DAY + timedelta(days=number) for number in range(DAYS * 7))
    return islice((day for day in days if day.weekday() < 5), DAYS)


def _closes(ticker: str) -> list[float]:
    start, stretches = CHARACTERS[ticker]
    chance = Random(ticker)
    returns = [drift + spread * _normal(chance) for days, drift, spread in stretches for _ in range(days)]
    return [start * exp(total / 100) for total in accumulate(returns)]


def _normal(chance: Random) -> float:
    """Twelve throws' sum, nearly normal; of a Random's methods, only random() is the same in every Python."""
    return sum(chance.random() for _ in range(12)) - 6


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())
