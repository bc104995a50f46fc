"""Which sentences of the passages that were shown answer the question best."""

from itertools import groupby
from typing import NamedTuple

from examples.text import sentences
from examples.thinker.notes import Notes
from examples.thinker.question import CLOSING, OPENING
from examples.thinker.words import kin, stem, words

MOST = 5
"""Sentences that are chosen at most."""

AS_GOOD = 0.6
"""A sentence is chosen that has at least this share of the best one's score."""

KIN = 0.7
"""How much another word for a term counts, next to the term itself."""

NEAR = 0.4
"""How much a term counts that only the sentence before or after it has."""

FITS = 3.0
"""How many times as much a sentence counts that does what the question asks for, as the right speaker's."""

LONG = 400
"""Characters past which a sentence counts less: a short one answers better."""


class Line(NamedTuple):
    """A sentence and the passage that it stands in."""

    number: int
    chapter: str
    text: str


class Quote(NamedTuple):
    """Sentences that follow each other, the passages they stand in, and the chapter."""

    numbers: tuple[int, ...]
    chapter: str
    text: str


def quotes(notes: Notes) -> list[Quote]:
    """Return what answers best, in reading order; an answer comes with the line that it is an answer to."""
    lines = [
        Line(number, one.chapter, text)
        for number, one in sorted(notes.passages.items())
        for text in sentences(one.text)
    ]
    chosen = sorted({shown for place in _best(notes, lines) for shown in _with_question(lines, place)})
    runs = groupby(enumerate(chosen), key=lambda one: (one[1] - one[0], lines[one[1]].chapter))
    return [_quote([lines[place] for _, place in run]) for _, run in runs]


def _best(notes: Notes, lines: list[Line]) -> list[int]:
    scores = _scores(notes, lines)
    order = sorted(range(len(lines)), key=lambda place: (-scores[place], place))[:MOST]
    return [place for place in order if scores[place] and scores[place] >= AS_GOOD * scores[order[0]]]


def _with_question(lines: list[Line], place: int) -> list[int]:
    asked = place > 0 and lines[place - 1].text.endswith(f"?{CLOSING}")
    return [place - 1, place] if asked and lines[place].text.startswith(OPENING) else [place]


def _quote(run: list[Line]) -> Quote:
    numbers = tuple(dict.fromkeys(line.number for line in run))
    return Quote(numbers, run[0].chapter, " ".join(line.text for line in run))


def _scores(notes: Notes, lines: list[Line]) -> list[float]:
    """How well each line answers: by its terms, by those beside it, and by doing what is asked for."""
    found = [_found(notes, line.text) for line in lines]
    scores = list[float]()
    for place, line in enumerate(lines):
        beside = found[max(0, place - 1) : place + 2]
        near = sum(max(one[term] for one in beside) - found[place][term] for term in found[place])
        before = lines[place - 1].text if place else ""
        fits = FITS if notes.question.fits(line.text, before) else 1.0
        score = (sum(found[place].values()) + NEAR * near) * fits * min(1.0, LONG / len(line.text))
        scores.append(score)
    return scores


def _found(notes: Notes, line: str) -> dict[str, float]:
    """How much each term counts in a line."""
    there = set(map(stem, words(line)))
    return {term: notes.weight(term) * _match(term, there) for term in notes.question.terms}


def _match(term: str, there: set[str]) -> float:
    if stem(term) in there:
        return 1.0
    return KIN if there.intersection(map(stem, kin(term))) else 0.0
