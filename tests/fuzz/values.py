"""Hypothesis strategies for what a graph may hand over by mistake: values of Python that JSON lacks."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from tests.fuzz.hostile import ANY_TEXT


class Model(BaseModel):
    """Somebody's own model."""

    value: Any = None


@dataclasses.dataclass
class Record:
    """Somebody's own record."""

    value: Any = None


class Choice(enum.Enum):
    """Somebody's own enum."""

    NOTHING = float("nan")
    FIRST = "first"


class Shy:
    """Can't be shown: an object that raises when it is made a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text of mine")

    __repr__ = __str__


def cycle() -> list[Any]:
    """A list that holds itself."""
    it: list[Any] = []
    it.append({"again": it})
    return it


def deep() -> dict[str, Any]:
    """An object in an object, a thousand times over."""
    it: dict[str, Any] = {}
    for _ in range(1000):
        it = {"in": it}
    return it


ODD = st.one_of(
    st.sampled_from([float("nan"), float("inf"), 2**64, -(2**63) - 1, 10**400, b"\xff", 1j, Choice.NOTHING]),
    st.sampled_from([Choice.FIRST, object, len, uuid.UUID(int=0), datetime.date.min, decimal.Decimal("NaN")]),
    st.builds(cycle),
    st.builds(deep),
    st.builds(Shy),
    st.just(300_000).map("x".__mul__),
    ANY_TEXT,
    st.binary(max_size=4),
    st.integers(),
    st.floats(),
    st.none(),
)
ODD_KEYS = st.one_of(ANY_TEXT, st.integers(), st.none(), st.booleans(), st.floats(), st.binary(max_size=2))


def _boxes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.integers(), inner, max_size=3),
        st.dictionaries(ANY_TEXT, inner, max_size=3),
        st.dictionaries(ANY_TEXT, inner, max_size=3).map(MappingProxyType[str, Any]),
        st.tuples(inner, inner),
        st.builds(Model, value=inner),
        st.builds(Record, inner),
        st.frozensets(st.integers() | ANY_TEXT | st.floats(), max_size=3),
    )


ANYTHING: st.SearchStrategy[Any] = st.recursive(ODD, _boxes, max_leaves=6)
"""Any value at all."""

OBJECTS: st.SearchStrategy[Mapping[Any, Any]] = st.dictionaries(ANY_TEXT, ANYTHING, max_size=3)
"""What a node gives back."""

ODD_OBJECTS: st.SearchStrategy[Mapping[Any, Any]] = st.dictionaries(ODD_KEYS, ANYTHING, max_size=3)
"""The same, with whatever Python takes for a key."""
