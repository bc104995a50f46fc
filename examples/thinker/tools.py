"""What the agent can do with the text: search it, read on around a passage, and count a word."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from langchain_core.tools import BaseTool, tool

from examples.thinker.bm25 import Index
from examples.thinker.passages import Passage, passages
from examples.thinker.words import stem, stems, words

BEST = 5
"""How many passages a search finds."""

_SHOWN = re.compile(r"^\[(\d+)\] Chapter (.+)\n((?:(?!\[\d+\] ).*\n?)*)", re.MULTILINE)
_COUNT = re.compile(r"stands there (\d+) times?\b")


@tool
def search(query: str) -> str:
    """Find the passages of the book that tell most of some words; the best comes first."""
    hits = _index().search(stems(query), BEST)
    found = [passages()[hit.place] for hit in hits]
    if not found:
        return f"No passage tells of {query!r}."
    best = found[0]
    return _shown(f"{len(found)} passages, the best is [{best.number}] in chapter {best.chapter}", found)


@tool
def read(passage: int) -> str:
    """Read a passage of the book by its number, with the one before it and the one after it."""
    if not 1 <= passage <= len(passages()):
        return f"There is no passage [{passage}]: they are numbered from 1 to {len(passages())}."
    found = passages()[max(0, passage - 2) : passage + 1]
    chapter = passages()[passage - 1].chapter
    return _shown(f"Passages [{found[0].number}] to [{found[-1].number}] in chapter {chapter}", found)


@tool
def count(word: str) -> str:
    """Count how often a word stands in the book, in any of its forms, and in which chapters."""
    found = Counter[str]()
    for one in passages():
        found[one.chapter] += sum(stem(other) == stem(word.lower()) for other in words(one.text))
    told = [f"{times} in chapter {chapter}" for chapter, times in found.most_common(3) if times]
    times = f"{found.total()} time{'s' * (found.total() != 1)}"
    return f"“{word}” stands there {times}{': ' * bool(told)}{', '.join(told)}"


TOOLS: list[BaseTool] = [search, read, count]


def shown_in(result: str) -> list[Passage]:
    """Return the passages that a result of `search` or `read` shows."""
    found = _SHOWN.findall(result)
    return [Passage(int(number), chapter, text.strip()) for number, chapter, text in found]


def counted_in(result: str) -> int:
    """Return the number that a result of `count` tells."""
    found = _COUNT.search(result)
    return int(found[1]) if found else 0


def _shown(summary: str, found: Sequence[Passage]) -> str:
    return "\n\n".join(
        [f"{summary}.", *(f"[{one.number}] Chapter {one.chapter}\n{one.text}" for one in found)]
    )


@cache
def _index() -> Index:
    return Index(stems(one.text) for one in passages())
