"""What worker and pod tell of themselves: to stderr, one line a record."""

from __future__ import annotations

import logging

from cli.text import clean

OURS = ("api", "cli", "events", "worker")


class OneLine(logging.Formatter):
    """A record with its traceback on one line: a log collector, or a forger, can't break it apart."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return clean(super().format(record))


def configure() -> None:
    """INFO and above of ours, WARNING and above of the libraries."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
