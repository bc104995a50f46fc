"""What scales pods and workers in deploy/kubernetes, by Kubernetes itself or by KEDA."""

from __future__ import annotations

import re

import promql_parser
import pytest

from tests.deploy.manifests import BUILT, ROOT, kinds


@pytest.mark.parametrize("name", BUILT)
def test_what_is_scaled_has_no_fixed_number(name: str) -> None:
    """And one scaler at most; all start with two or more."""
    scalers = (*kinds(name, "HorizontalPodAutoscaler"), *kinds(name, "ScaledObject"))
    scaled = [it["spec"]["scaleTargetRef"]["name"] for it in scalers]
    assert len(set(scaled)) == len(scaled)
    for workload in kinds(name, "Deployment"):
        assert workload["spec"].get("replicas", 2) >= 2
        assert ("replicas" in workload["spec"]) is (workload["metadata"]["name"] not in scaled)
    for scaler in scalers:
        spec = scaler["spec"]
        assert spec.get("minReplicas", spec.get("minReplicaCount")) >= 2


def test_scalers_ask_for_metrics_that_there_are() -> None:
    """In HPAs by name, in KEDA's PromQL by its selectors; some process of ours tells each of them."""
    asked = [
        (metric.get("pods") or metric["external"])["metric"]["name"]
        for hpa in kinds("optional", "HorizontalPodAutoscaler")
        for metric in hpa["spec"]["metrics"]
    ]
    (keda,) = kinds("large", "ScaledObject")
    queries = [trigger["metadata"]["query"] for trigger in keda["spec"]["triggers"]]
    for query in queries:
        promql_parser.parse(query)
        asked += re.findall(r"taskreel_\w+", query)
    code = "".join(path.read_text() for path in ROOT.glob("[aew]*/*metrics.py"))
    assert len(set(asked)) == 3
    assert [metric for metric in asked if f'"{metric}"' not in code] == []


def test_kedas_object_has_its_shape() -> None:
    """Of https://keda.sh/docs/latest/reference/scaledobject-spec/; its schema isn't among Kubernetes' own."""
    (keda,) = kinds("large", "ScaledObject")
    assert keda["apiVersion"] == "keda.sh/v1alpha1"
    spec = keda["spec"]
    assert set(spec) == {
        *("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "triggers", "advanced")
    }
    for trigger in spec["triggers"]:
        assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
        assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold"}
        assert all(isinstance(value, str) for value in trigger["metadata"].values())
    (hpa,) = [it for it in kinds("optional", "HorizontalPodAutoscaler") if it["metadata"]["name"] == "worker"]
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["spec"]["behavior"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (
        hpa["spec"]["minReplicas"],
        hpa["spec"]["maxReplicas"],
    )
