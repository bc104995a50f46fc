"""`python -m bench plot FILE FOLDER`: draw what `--json FILE` has kept, as PNG files in a folder."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

Points = Sequence[Mapping[str, float]]

_COST, _P50, _P99 = "micros_per_delivery", "p50_ms", "p99_ms"
_SIZE_INCHES = (11, 3.6)


def main(arguments: Sequence[str]) -> None:
    """Draw each plot whose points are there."""
    parser = argparse.ArgumentParser(prog="python -m bench plot", description=__doc__)
    parser.add_argument("file", type=Path, help="what --json has written")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    series: dict[str, Points] = orjson.loads(given.file.read_bytes())["series"]
    if {"clients", "tasks", "bytes"} <= series.keys():
        _save(_growth(series), given.folder / "fan-out-growth.png")
    if "rising" in series:
        _save(_rising(series["rising"]), given.folder / "fan-out-rising.png")


def _growth(series: Mapping[str, Points]) -> Any:
    """CPU a delivery over clients, tasks and the events' size."""
    figure, axes = _panels(3)
    labels = ("clients, on 10 tasks", "tasks, with 10 clients each", "bytes of data an event")
    for axis, name, label in zip(axes, ("clients", "tasks", "bytes"), labels, strict=True):
        _line(axis, series[name], name, _COST, "tab:blue")
        axis.set(xscale="log", xlabel=label, ylabel="CPU a delivery, µs")
        axis.set_ylim(bottom=0)
    return figure


def _rising(points: Points) -> Any:
    """Latency, CPU a delivery and CPU in all over deliveries a second."""
    figure, axes = _panels(3)
    x = "deliveries_per_second"
    _line(axes[0], points, x, _P50, "tab:green", "p50")
    _line(axes[0], points, x, _P99, "tab:red", "p99")
    axes[0].set(ylabel="latency, ms", yscale="log")
    axes[0].legend()
    _line(axes[1], points, x, _COST, "tab:blue")
    axes[1].set(ylabel="CPU a delivery, µs", ylim=(0, None))
    _line(axes[2], points, x, "cpu_share", "tab:orange")
    axes[2].set(ylabel="of one core", ylim=(0, 1.05))
    for axis in axes:
        axis.set(xlabel="deliveries/s, 5,000 clients on 50 tasks")
        axis.xaxis.set_major_formatter(_thousands)
    return figure


def _thousands(value: float, _: int) -> str:
    return f"{value / 1000:.0f}k"


def _panels(count: int) -> tuple[Any, Any]:
    # Not imported above, nor typed: it is installed by `make bench` alone.
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    return pyplot.subplots(1, count, figsize=_SIZE_INCHES, layout="constrained")


def _line(axis: Any, points: Points, x: str, y: str, color: str, label: str | None = None) -> None:
    axis.plot([point[x] for point in points], [point[y] for point in points], "o-", color=color, label=label)
    axis.grid(visible=True, alpha=0.3)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110)
    print(path)
