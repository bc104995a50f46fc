"""What a benchmark finds: figures, the bars they are held against, and the arithmetic between. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Bar", "Figure", "Finding", "Series", "Table", "at_least", "at_most", "median", "nearest_rank"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit that a figure shall keep; `upper` says on which side."""

    limit: float
    upper: bool

    def met(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value <= self.limit if self.upper else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.upper else '≥'} {self.limit:,g}"


def at_most(limit: float) -> Bar:
    """A bar for what shall be small."""
    return Bar(limit, upper=True)


def at_least(limit: float) -> Bar:
    """A bar for what shall be large."""
    return Bar(limit, upper=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        what: what was measured.
        value: the number, in `unit`.
        unit: such as `ms` or `events/s`.
        bar: what it is held against; None if it's for information.
        note: how it came about: the spread, the count.
    """

    what: str
    value: float
    unit: str
    bar: Bar | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it keeps its bar; None without one."""
        return None if self.bar is None else self.bar.met(self.value)

    @property
    def text(self) -> str:
        """The number with its unit, rounded to what the eye can use."""
        whole = abs(self.value) >= 1000 or float(self.value).is_integer()
        digits = 0 if whole else 1 if abs(self.value) >= 100 else 2
        return f"{self.value:,.{digits}f} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Table:
    """A comparison beside the figures: the first column says what, the others are who.

    Attributes:
        title: what all of it is about.
        head: the columns' names.
        rows: as many cells as the head has.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Series:
    """What is plotted.

    Attributes:
        name: by which the plot finds it.
        points: numbers by their names, in the order of what grows.
    """

    name: str
    points: Sequence[Mapping[str, float]]


Finding = Figure | Table | Series


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The percentile by nearest rank: a value that really occurred."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
