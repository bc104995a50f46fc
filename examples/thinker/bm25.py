"""BM25: which texts of a collection tell most of some words.

Stephen Robertson and Hugo Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

SATURATION = 1.2
"""How soon a word's repetitions stop counting: the paper's k1, of which it calls 1.2 to 2 reasonable."""

LENGTH = 0.75
"""How much a text's length counts against it: the paper's b, of which it calls 0.5 to 0.8 reasonable."""


class Hit(NamedTuple):
    """A text, by its `place` in the collection, and how much it tells of the words."""

    place: int
    score: float


class Index:
    """A collection of texts, each given by its terms."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._counts = [Counter(terms) for terms in texts]
        self._lengths = [counts.total() for counts in self._counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths)) or 1.0
        self._spread = Counter(term for counts in self._counts for term in counts)

    def search(self, terms: Iterable[str], limit: int) -> list[Hit]:
        """Return the best texts, the best first; those that have none of the terms are left out."""
        wanted = set(terms)
        hits = [Hit(place, self._score(place, wanted)) for place in range(len(self._counts))]
        best = sorted(hits, key=lambda hit: (-hit.score, hit.place))
        return [hit for hit in best[:limit] if hit.score > 0]

    def _score(self, place: int, terms: set[str]) -> float:
        counts = self._counts[place]
        norm = SATURATION * (1 - LENGTH + LENGTH * self._lengths[place] / self._mean)
        return sum(
            self._rarity(term) * counts[term] * (SATURATION + 1) / (counts[term] + norm)
            for term in sorted(terms & counts.keys())
        )

    def _rarity(self, term: str) -> float:
        """The paper's weight, plus 1 within the logarithm, as usual: a word in most texts isn't negative."""
        found = self._spread[term]
        return log(1 + (len(self._counts) - found + 0.5) / (found + 0.5))
