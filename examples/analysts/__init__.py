"""Have analysts look at several stocks at once, weigh what they find into decisions, and write a memo."""

from examples.analysts.flow import graph

__all__ = ["graph"]
