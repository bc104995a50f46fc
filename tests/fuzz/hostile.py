"""Hypothesis strategies for what somebody with bad intentions would send or write."""

from __future__ import annotations

from hypothesis import strategies as st

LINES = (
    "\n", "\r", "\r\n", "\n\n", "\r\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\0", "\ufeff", ":", " ",
    "data: forged", "data:forged", "id: 9-9", "id:9-9", "event: task.failed", "event:message", "retry: 1",
    "retry:1", ": comment", "data", "id", "{}", '"', "\\n", "\\u000a", "", "é", "\U0001f600",
)  # fmt: skip
"""Pieces of which a text could be made that a client takes for more than one line, or for another field."""

SURROGATES = ("\ud800", "\udfff", "\udc0a")
"""Half characters: Python's text can hold them, UTF-8 can't."""

LONG = st.just(70_000).map("x".__mul__)

_PIECES = st.sampled_from(LINES) | st.text(st.characters(exclude_categories=["Cs"])) | LONG

TEXT = st.lists(_PIECES, max_size=8).map("".join)
"""Hostile, and text all the same."""

ANY_TEXT = st.lists(_PIECES | st.sampled_from(SURROGATES), max_size=8).map("".join)
"""The same, and possibly no text at all."""

BYTES = st.binary() | ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))

EDGES = st.sampled_from(
    [0, 1, 9, 10, 10**18, 10**19 - 1, 10**19, 2**63, 2**64 - 1, 2**64, 10**20 - 1, 10**20]
)
"""Numbers at which a parser might change its mind."""

PART = st.integers(0, 2**64 + 9) | EDGES

_ODD = st.sampled_from(
    ["-", "--", "0", "+", " ", "\t", "\n", "\0", "_", ".", "e1", "\u0661", "\u00b2", "\ud800"]
)


@st.composite
def nearly_ids(draw: st.DrawFn) -> str:
    """An event id's text, or nearly: one piece may have been cut out, or put in."""
    text = f"{draw(PART)}-{draw(PART)}"
    at = draw(st.integers(0, len(text)))
    cut = draw(st.integers(0, 2))
    return text[:at] + draw(_ODD | st.just("")) + text[at + cut :]
