"""TextRank: the sentences that the rest of a text leans on.

Rada Mihalcea and Paul Tarau, "TextRank: Bringing Order into Text", EMNLP 2004.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from math import log
from typing import NamedTuple, cast

from igraph import Graph

DAMPING = 0.85
"""The share of steps that follow an edge rather than start anew: the paper's d, after Brin and Page."""

# The paper filters words by part of speech; four letters or more need neither a tagger nor a stop list.
_WORD = re.compile(r"[^\W\d_]{4,}")


class Edge(NamedTuple):
    """How alike two sentences are, which are given by their places in the list."""

    one: int
    other: int
    weight: float


def scores(sentences: list[str]) -> list[float]:
    """Return how much of an average sentence's weight each one has: 1.0 is average, the mean is 1.0.

    The paper's ranks sum to 1; times the number of sentences they can be compared across texts.
    """
    edges = list(_edges(sentences))
    graph = Graph(n=len(sentences), edges=[edge[:2] for edge in edges])
    weights = [edge.weight for edge in edges]
    ranks = cast("list[float]", graph.pagerank(weights=weights, directed=False, damping=DAMPING))
    return [rank * len(sentences) for rank in ranks]


def _edges(sentences: list[str]) -> Iterator[Edge]:
    """Yield the paper's similarity (section 4.1) of each pair: common words / (log |one| + log |other|)."""
    words = [frozenset(_WORD.findall(sentence.casefold())) for sentence in sentences]
    telling = [(place, found, log(len(found))) for place, found in enumerate(words) if len(found) > 1]
    for (one, left, small), (other, right, large) in combinations(telling, 2):
        common = len(left & right)
        if common:
            yield Edge(one, other, common / (small + large))
