"""What the dashboard, the rules and the docs ask Prometheus for, and what is asked in each expression."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"
GRAFANA = ROOT / "deploy/grafana"
OPERATIONS = ROOT / "docs/operations.md"

_VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$graph": ".*"}
"""What Grafana puts in before it asks."""


def read_yaml(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def rules() -> list[dict[str, Any]]:
    """All alerting rules."""
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    return json.loads((GRAFANA / "dashboards/taskreel.json").read_text())


def panels() -> list[dict[str, Any]]:
    """Its panels, but for the rows that divide them."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """All expressions, by where they stand."""
    found = {f"the alert {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in panels():
        for target in panel["targets"]:
            found[f"the panel {panel['title']}, {target['refId']}"] = target["expr"]
    return found


def parse(expression: str) -> Any:
    """The expression's tree, with Grafana's variables filled in."""
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return promql_parser.parse(expression)


def selected(node: Any, grouped: frozenset[str] = frozenset()) -> Iterator[tuple[str, set[str]]]:
    """Each series that is asked for in a tree, with the labels that it's selected and grouped by."""
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), {matcher.name for matcher in node.matchers.matchers} | grouped
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        grouped |= frozenset(node.modifier.labels)
    for part in _PARTS[type(node)](node):
        yield from selected(part, grouped)


_PARTS: dict[Any, Callable[[Any], Sequence[Any]]] = {
    promql_parser.VectorSelector: lambda node: (),
    promql_parser.MatrixSelector: lambda node: (node.vector_selector,),
    promql_parser.AggregateExpr: lambda node: (node.expr,),
    promql_parser.Call: lambda node: node.args,
    promql_parser.BinaryExpr: lambda node: (node.lhs, node.rhs),
    promql_parser.ParenExpr: lambda node: (node.expr,),
    promql_parser.UnaryExpr: lambda node: (node.expr,),
    promql_parser.NumberLiteral: lambda node: (),
}
"""What each kind of node consists of; another kind is to be added when it's used."""


def named_in_text(text: str) -> set[str]:
    """The metrics that a text names in full."""
    return set(re.findall(r"\btaskreel_[a-z_]+[a-z]\b", text))


def lines_of_metrics() -> dict[str, list[str]]:
    """The rows of the table of metrics, by the metric: its labels, what it says, when to worry."""
    section = OPERATIONS.read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" |") for line in section.splitlines() if line.startswith("| `taskreel_")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def runbooks() -> dict[str, str]:
    """What is to be done about each alert, by its name."""
    section = OPERATIONS.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (\w+)\n", section, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
