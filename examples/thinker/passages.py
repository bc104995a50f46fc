"""The shipped text in passages, which a reader can ask for by their numbers."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from examples.text import shipped

LEAST = 90
"""Words in a passage at least, but for a chapter's last: talk is taken with the answer to it."""

_CHAPTER = re.compile(r"^CHAPTER (?=[IVX]+\. )", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\s*\n")


class Passage(NamedTuple):
    """Some paragraphs of a chapter, such as "V. Advice from a Caterpillar"; `number` counts from 1."""

    number: int
    chapter: str
    text: str


@cache
def passages() -> tuple[Passage, ...]:
    """Return all passages of the shipped text, in reading order."""
    _, *chapters = _CHAPTER.split(shipped())
    found = ((title, text) for title, *told in map(_PARAGRAPH.split, chapters) for text in _grouped(told))
    return tuple(Passage(number, title, text) for number, (title, text) in enumerate(found, 1))


def _grouped(paragraphs: list[str]) -> Iterator[str]:
    group = list[str]()
    for paragraph in paragraphs:
        group.append(paragraph.strip())
        if sum(len(one.split()) for one in group) >= LEAST:
            yield "\n\n".join(group)
            group.clear()
    if any(group):
        yield "\n\n".join(group)
