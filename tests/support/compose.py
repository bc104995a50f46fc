"""docker-compose.yml as Compose reads it: variables put in by its rules, merges resolved.

Rules: https://docs.docker.com/reference/compose-file/interpolation/. What isn't among them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
NAMES = ("API_PASSWORD", "WORKER_PASSWORD", "OPS_PASSWORD", "METRICS_TOKEN", "GRAFANA_PASSWORD")

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<rule>:?[-?+])(?P<word>[^${}]*))?\}|(?P<wrong>))"
)


def variables() -> dict[str, str]:
    """What the head of docker-compose.yml has its user put into .env."""
    return {f"TASKREEL_{name}": f"{number:064x}" for number, name in enumerate(NAMES, 1)}


def load(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The document with its variables put in.

    Raises:
        KeyError: a variable is missing that must be there; the message is the file's own.
    """
    document: Any = yaml.safe_load(path.read_text())
    return cast("dict[str, Any]", _interpolated(document, environment))


def services(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml by their names."""
    return load(FILE, environment)["services"]


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """A text with its variables put in."""

    def value(match: re.Match[str]) -> str:
        if match["wrong"] is not None:
            raise ValueError(f"Compose takes no such variable: {text!r}")
        if match["escaped"]:
            return "$"
        return _value(match["name"] or match["plain"], match["rule"] or "", match["word"] or "", environment)

    return _VARIABLE.sub(value, text)


def _value(name: str, rule: str, word: str, environment: Mapping[str, str]) -> str:
    held = environment.get(name)
    present = bool(held) if rule.startswith(":") else held is not None
    if rule.endswith("+"):
        return word if present else ""
    if present:
        return held or ""
    if rule.endswith("?"):
        raise KeyError(f"{name}: {word}")
    return word if rule.endswith("-") else held or ""


def _interpolated(node: object, environment: Mapping[str, str]) -> object:
    if isinstance(node, str):
        return interpolate(node, environment)
    if isinstance(node, list):
        return [_interpolated(item, environment) for item in cast("list[object]", node)]
    if isinstance(node, dict):
        return {
            key: _interpolated(item, environment) for key, item in cast("dict[str, object]", node).items()
        }
    return node
