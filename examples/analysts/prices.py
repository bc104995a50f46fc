"""The shipped prices: what a few invented stocks cost at each day's close."""

import csv
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, get_args

Ticker = Literal["ALDER", "BRIAR", "CRANE", "DUNES", "EMBER", "FJORD", "GLYPH", "HAZEL"]
"""The stocks that the file has, in its order."""

TICKERS: tuple[Ticker, ...] = get_args(Ticker)

DAYS = 250
"""How many trading days the file has."""


class Close(NamedTuple):
    """A price at the end of a day, which is an ISO date."""

    day: str
    price: float


def closes(ticker: Ticker, days: int = DAYS) -> list[Close]:
    """Return the last so many closes of a stock, the oldest first."""
    return [Close(row["date"], float(row[ticker])) for row in _rows()[-days:]]


@cache
def _rows() -> list[dict[str, str]]:
    text = files(__package__ or "examples.analysts").joinpath("prices.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
