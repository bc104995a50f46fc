"""What is measured of a stock, step by step: each measure goes over the closes once, the oldest first."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import expm1, log, sqrt
from statistics import linear_regression, stdev
from typing import NamedTuple

from examples.analysts.prices import Close

SHORT, LONG = 20, 50
"""Days in the two moving averages of which one crosses the other: about a month, and a quarter."""

MONTH, YEAR = 21, 252
"""Trading days in a month and a year, as is usual."""


class Averages(NamedTuple):
    """The means of the last SHORT and LONG closes, and whether the short one came `above` the other."""

    day: str
    short: float
    long: float

    @property
    def above(self) -> bool:
        """Whether the latest prices are above those of a longer time."""
        return self.short > self.long

    @property
    def gap(self) -> float:
        """How far the short mean is above the long one; 0.05 is five percent."""
        return self.short / self.long - 1


class Spread(NamedTuple):
    """The standard deviation of the last SHORT daily log returns, as for a year; 0.2 is 20 percent."""

    day: str
    annual: float


class Fall(NamedTuple):
    """How deep a close is below the highest one so far; 0.2 is 20 percent."""

    day: str
    depth: float
    peak: Close
    price: float


class Regained(NamedTuple):
    """What share of a fall has been won back: 0 at its bottom, 1 where the peak is reached again."""

    day: str
    share: float


def averages(closes: Sequence[Close]) -> Iterator[Averages]:
    """Yield the moving averages of each day that has LONG closes behind it, itself included."""
    short, long = deque[float](maxlen=SHORT), deque[float](maxlen=LONG)
    for day, price in closes:
        short.append(price)
        long.append(price)
        if len(long) == LONG:
            yield Averages(day, sum(short) / SHORT, sum(long) / LONG)


def last_cross(steps: Sequence[Averages]) -> str | None:
    """Return the day when the short mean last came to the side it is on, or None if it always was there."""
    crossed = [later.day for earlier, later in pairwise(steps) if earlier.above != later.above]
    return crossed[-1] if crossed else None


def slope(closes: Sequence[Close]) -> float:
    """Return a month's growth of the line that fits the last LONG log prices best; 0.05 is five percent."""
    prices = [log(close.price) for close in closes[-LONG:]]
    return expm1(linear_regression(range(len(prices)), prices).slope * MONTH)


def spreads(closes: Sequence[Close]) -> Iterator[Spread]:
    """Yield the volatility of each day that has SHORT returns behind it."""
    returns = deque[float](maxlen=SHORT)
    for earlier, later in pairwise(closes):
        returns.append(log(later.price / earlier.price))
        if len(returns) == SHORT:
            yield Spread(later.day, stdev(returns) * sqrt(YEAR))


def falls(closes: Sequence[Close]) -> Iterator[Fall]:
    """Yield for each day how far it is below the highest close so far; the deepest is the drawdown."""
    peak = closes[0]
    for close in closes:
        peak = max(peak, close, key=lambda one: one.price)
        yield Fall(close.day, 1 - close.price / peak.price, peak, close.price)


def regained(closes: Sequence[Close], peak: float, bottom: str) -> Iterator[Regained]:
    """Yield for each day from the bottom of a fall from a price of `peak` on how much has been won back."""
    since = [close for close in closes if close.day >= bottom]
    for day, price in since:
        yield Regained(day, (price - since[0].price) / (peak - since[0].price))
