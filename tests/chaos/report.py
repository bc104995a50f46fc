"""The table at the end, the circumstances above it, what failed below it; and all of it as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.chaos.outcome import Outcome

WIDTH = 120
"""Columns of the table where it doesn't go to a terminal."""


def say(text: str) -> None:
    """Print a line now: what happens meanwhile."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(facts: Mapping[str, str], outcomes: Sequence[Outcome]) -> None:
    """Print all of it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for name, value in facts.items():
        console.print(Text(f"{name + ':':<9} {value}"))
    console.print(_table(outcomes))
    for outcome in outcomes:
        for failure in outcome.failures:
            console.print(Text(f"FAIL {outcome.fault}: {failure}"), soft_wrap=True)


def write_json(path: Path, facts: Mapping[str, str], outcomes: Sequence[Outcome]) -> None:
    """The same as one JSON object."""
    found = [asdict(outcome) for outcome in outcomes]
    path.write_bytes(orjson.dumps({**facts, "outcomes": found}, option=orjson.OPT_INDENT_2) + b"\n")


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(show_lines=True)
    table.add_column("fault", ratio=2)
    table.add_column("rounds", justify="right")
    table.add_column("figures", ratio=3)
    table.add_column("seconds", justify="right")
    table.add_column("")
    for outcome in outcomes:
        figures = "\n".join(f"{name}: {text}" for name, text in outcome.figures.items())
        verdict = Text("FAIL", "bold red") if outcome.failures else Text("pass", "green")
        seconds = f"{outcome.seconds:,.1f}"
        table.add_row(Text(outcome.fault), f"{outcome.rounds:,}", Text(figures), seconds, verdict)
    return table
