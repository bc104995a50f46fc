"""Texts and their sentences."""

import re
from importlib.resources import files
from itertools import pairwise

LONGEST = 1000
"""Characters in a sentence at most; a longer one (a text without full stops, say) is read in pieces."""

# Where a sentence may end: in the space after a stop and up to two closing quotes, or right after a
# full-width stop, which no space follows. Each branch looks back a fixed way, so any text takes linear time.
_STOP, _CLOSING, _OPENING = "[.!?\u2026]", "[\"')\\]\u2019\u201d\u00bb]", "\"'([\u2018\u201c\u00ab\u2014"
_GAP = re.compile(
    f"(?:(?<={_STOP})|(?<={_STOP}{_CLOSING})|(?<={_STOP}{_CLOSING}{_CLOSING})) "
    "|(?<=[\u3002\uff01\uff1f])(?![\u300d\u300f\u201d])|(?<=[\u3002\uff01\uff1f][\u300d\u300f\u201d])"
)
_TITLE = re.compile(r"\b(?:Mrs?|Ms|Dr|St|Prof|vs|e\.g|i\.e)\. \Z")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_PIECE = re.compile(rf"\S.{{0,{LONGEST - 2}}}\S(?!\S)|\S{{1,{LONGEST}}}")


def shipped() -> str:
    """Return the text that comes with the examples: Alice's Adventures in Wonderland, some 150 kB."""
    return files(__package__ or "examples").joinpath("alice.txt").read_text("utf-8")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text` in reading order, each on one line and listed once.

    A sentence ends at a stop that white space follows, unless a small letter or a title's full stop says that
    it goes on; a blank line ends one too. White space within a sentence becomes single spaces.
    """
    lines = (" ".join(paragraph.split()) for paragraph in _PARAGRAPH.split(text))
    found = (piece for line in lines for sentence in _cut(line) for piece in _PIECE.findall(sentence))
    return list(dict.fromkeys(found))


def _cut(line: str) -> list[str]:
    ends = [gap.end() for gap in _GAP.finditer(line) if not _goes_on(line, gap.end())]
    return [line[start:end].strip() for start, end in pairwise([0, *ends, len(line)])]


def _goes_on(line: str, at: int) -> bool:
    following = line[at : at + 3].lstrip(_OPENING)
    return following[:1].islower() or _TITLE.search(line[max(0, at - 8) : at]) is not None
