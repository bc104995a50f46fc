"""The dashboard, the alerting rules and the docs, against what a real pod and workers expose.

Prometheus' own check of its rules (`promtool`) isn't here, so their shape is checked by hand, strictly.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.metrics import asked
from tests.metrics.exposed import Exposed, exposed

DURATION = re.compile(r"(\d+h)?(\d+m)?(\d+s)?")
TEMPLATED = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
LEGEND = re.compile(r"\{\{(\w+)\}\}")
SUFFIXES = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def told(redis_port: int, tmp_path_factory: pytest.TempPathFactory) -> Exposed:
    """What there is after a real run."""
    return exposed(redis_port, tmp_path_factory.mktemp("exposed"))


def test_every_series_that_is_asked_for_is_exposed(told: Exposed) -> None:
    """By dashboard and alerts: its name, and each label that it's selected or grouped by."""
    wrong: list[str] = []
    for where, expression in asked.expressions().items():
        for name, labels in asked.selected(asked.parse(expression)):
            if name not in told.labels:
                wrong.append(f"{where}: there is no {name}")
            elif labels - told.labels[name]:
                wrong.append(f"{where}: {name} has no {', '.join(sorted(labels - told.labels[name]))}")
    assert wrong == []


def test_every_metric_has_its_line_and_every_line_its_metric(told: Exposed) -> None:
    """In docs/operations.md, with its own labels."""
    lines = asked.lines_of_metrics()
    assert lines.keys() == {name for name in told.families if name.startswith("taskreel_")}
    for name, (labels, says, *_) in lines.items():
        own = set[str]().union(*(told.labels[it] for it in told.labels if _family(it) == name))
        assert set(re.findall(r"`(\w+)`", labels)) == own - {"job", "instance", "le"}, name
        assert says, name


def test_docs_name_no_metric_that_is_not_there(told: Exposed) -> None:
    """Anywhere in docs and README, whole names of series or of metrics."""
    known = told.families.keys() | told.labels.keys()
    for path in [*asked.ROOT.glob("docs/*.md"), *asked.ROOT.glob("*.md")]:
        named = asked.named_in_text(path.read_text()) - {"taskreel_stream"}  # a cookie
        assert named <= known, path.name


def test_no_series_is_doubled_by_the_time_it_began(told: Exposed) -> None:
    """The library tells of each counter since when it counts, unless told not to."""
    assert not [name for name in told.labels if name.endswith("_created")]


def test_the_rules_have_prometheus_shape() -> None:
    """Keys, durations, severities; each has a summary, and expressions that parse."""
    document = asked.read_yaml(asked.ALERTS)
    assert list(document) == ["groups"]
    names = [group["name"] for group in document["groups"]]
    assert len(names) == len(set(names))
    assert all(list(group) == ["name", "rules"] for group in document["groups"])
    for rule in asked.rules():
        assert list(rule) == ["alert", "expr", "for", "labels", "annotations"], rule
        assert re.fullmatch(r"Taskreel[A-Z]\w+", rule["alert"])
        assert DURATION.fullmatch(rule["for"])
        assert rule["for"]
        assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})
        assert set(rule["annotations"]) == {"summary", "runbook"}
        asked.parse(rule["expr"])
    assert len({rule["alert"] for rule in asked.rules()}) == len(asked.rules())


def test_a_summary_uses_labels_that_are_left(told: Exposed) -> None:
    """An aggregation drops all labels but those that it groups by."""
    for rule in asked.rules():
        tree = asked.parse(rule["expr"])
        summary = rule["annotations"]["summary"]
        used = set(TEMPLATED.findall(summary))
        assert "{" not in TEMPLATED.sub("", summary), "a template that this test can't read"
        assert rule["annotations"]["summary"].count("{{") == len(
            TEMPLATED.findall(rule["annotations"]["summary"])
        )
        for name, labels in asked.selected(tree):
            grouped = " by (" in rule["expr"] or "sum(" in rule["expr"]
            assert used <= (labels if grouped else told.labels[name]), rule["alert"]


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    """Where its annotation says: a heading's anchor is its name in lower case."""
    books = asked.runbooks()
    assert books.keys() == {rule["alert"] for rule in asked.rules()}
    for rule in asked.rules():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        severity, text = re.fullmatch(r"\s*\*(\w+)\.\* (.+)", books[rule["alert"]], re.DOTALL).groups()  # pyright: ignore[reportOptionalMemberAccess]
        assert severity.lower() == rule["labels"]["severity"]
        assert len(text.strip().split("\n\n")) == 2, "what it means, and what to do"


def test_the_dashboard_can_be_read() -> None:
    """Each panel has its data, unit, legend and words; none lies on another; ids are its own."""
    board = asked.dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        cells = _cells(panel["gridPos"])
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in asked.panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in (panel, *panel["targets"]):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in panel["targets"]] == list("ABC"[: len(panel["targets"])])
    assert {it["name"] for it in board["templating"]["list"]} == {"datasource", "graph"}


def test_a_legend_uses_labels_that_are_there(told: Exposed) -> None:
    """Else all lines of a panel would have one name."""
    for panel in asked.panels():
        for target in panel["targets"]:
            used = set(LEGEND.findall(target["legendFormat"]))
            for name, labels in asked.selected(asked.parse(target["expr"])):
                grouped = " by (" in target["expr"] or "sum(" in target["expr"]
                assert used <= (labels if grouped else told.labels[name]), panel["title"]
            assert target["legendFormat"] or panel["type"] == "stat", panel["title"]


def test_every_metric_is_on_the_dashboard(told: Exposed) -> None:
    """What nobody looks at need not be counted."""
    expressions = [asked.parse(target["expr"]) for panel in asked.panels() for target in panel["targets"]]
    shown = {_family(name) for tree in expressions for name, _ in asked.selected(tree)}
    assert {name for name in told.families if name.startswith("taskreel_")} <= shown


def test_prometheus_is_told_where_to_scrape() -> None:
    """The rules by their name, each job once, with the token from a file."""
    config = asked.read_yaml(asked.PROMETHEUS)
    assert set(config) == {"global", "rule_files", "scrape_configs"}
    assert [(asked.PROMETHEUS.parent / name).exists() for name in config["rule_files"]] == [True]
    for job in config["scrape_configs"]:
        assert set(job) == {"job_name", "authorization", "static_configs"}
        assert set(job["authorization"]) == {"credentials_file"}
        assert re.fullmatch(r"taskreel-(api|worker)", job["job_name"])
    assert len({job["job_name"] for job in config["scrape_configs"]}) == 2


def test_grafana_is_told_where_its_data_and_boards_are() -> None:
    """In the form that it provisions itself by."""
    (source,) = asked.read_yaml(asked.GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    (provider,) = asked.read_yaml(asked.GRAFANA / "provisioning/dashboards/taskreel.yml")["providers"]
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).is_absolute()


def _family(series: str) -> str:
    """The metric that a series belongs to."""
    for suffix in SUFFIXES:
        if series.endswith(suffix):
            return series.removesuffix(suffix)
    return series


def _cells(grid: dict[str, Any]) -> set[tuple[int, int]]:
    columns = range(grid["x"], grid["x"] + grid["w"])
    return {(x, y) for x in columns for y in range(grid["y"], grid["y"] + grid["h"])}
