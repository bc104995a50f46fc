"""Answer a question about Alice's Adventures in Wonderland: think, search and read in rounds, then quote."""

from examples.thinker.flow import graph

__all__ = ["graph"]
