"""Digest a text: its most telling sentences, found by TextRank and written out word by word."""

from examples.digest.flow import graph

__all__ = ["graph"]
