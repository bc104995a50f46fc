"""Hypothesis strategies for what may come from outside."""

from __future__ import annotations

from hypothesis import strategies as st

from events.model import EventId

PARTS = st.integers(0, 2**64 - 1)
IDS = st.builds(EventId, PARTS, PARTS)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
"""JSON, as orjson writes and reads it without loss."""
