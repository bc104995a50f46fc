"""deploy/kubernetes as it's built: by Kubernetes' own schemas, and by what its parts say of each other."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest

from api.edge import server
from events.settings import PREFIX, Settings, load
from tests.deploy.kustomize import Resource, identity, pod_of
from tests.deploy.manifests import (
    BUILT,
    ROOT,
    built,
    container_of,
    environment,
    kinds,
    labels_of,
    one,
    workloads,
)
from tests.support.pods import RunningPod
from worker import execution, main

VERSIONS = ("1.30.0", "1.37.0")
"""The oldest that has all that is used, and the newest whose schemas there are."""

DOCUMENT = (ROOT / "docs/deployment.md").read_text()
EACH = pytest.mark.parametrize("name", BUILT)


@EACH
@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_as_the_api_has_it(name: str, version: str) -> None:
    """By the schemas of that version, with no field that they don't know. KEDA's aren't among them."""
    for resource in built(name):
        if resource["kind"] != "ScaledObject":
            kubernetes_validate.validate(resource, version, strict=True)


@EACH
def test_selectors_find_what_they_are_for(name: str) -> None:
    """A workload its own pods, a Service and a budget one workload's."""
    labels = {it["metadata"]["name"]: labels_of(it) for it in workloads(name)}

    def selected(selector: dict[str, str]) -> list[str]:
        return [called for called, its in labels.items() if selector.items() <= its.items()]

    for workload in workloads(name):
        assert selected(workload["spec"]["selector"]["matchLabels"]) == [workload["metadata"]["name"]]
        for spread in pod_of(workload).get("topologySpreadConstraints", []):
            assert selected(spread["labelSelector"]["matchLabels"]) == [workload["metadata"]["name"]]
    for service in kinds(name, "Service"):
        assert selected(service["spec"]["selector"]) == [service["metadata"]["name"]]
    for budget in kinds(name, "PodDisruptionBudget"):
        assert selected(budget["spec"]["selector"]["matchLabels"]) == [budget["metadata"]["name"]]


@EACH
def test_ports_are_those_that_are_listened_on(name: str) -> None:
    """Of services, ingress, probes and annotations; and pods listen on what their command says."""
    ports = {it["metadata"]["name"]: _ports(it) for it in workloads(name)}
    for service in kinds(name, "Service"):
        assert {it["targetPort"] for it in service["spec"]["ports"]} <= set(
            ports[service["metadata"]["name"]]
        )
    for ingress in kinds(name, "Ingress"):
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        service = one(name, "Service", backend["name"])
        assert backend["port"]["name"] in [it["name"] for it in service["spec"]["ports"]]
    for workload in workloads(name):
        for probe in _probes(workload).values():
            assert probe.get("httpGet", {}).get("port", "redis") in _ports(workload)
        notes = workload["spec"]["template"]["metadata"].get("annotations", {})
        assert int(notes.get("prometheus.io/port", 6379)) in _ports(workload).values()
    api, worker = (one(name, "Deployment", it) for it in ("api", "worker"))
    assert _ports(api)["http"] == int(container_of(api)["args"][-1])
    assert _ports(worker)["metrics"] == int(environment(name, worker)["TASKREEL_METRICS_PORT"])


def _ports(workload: Resource) -> dict[str, int]:
    return {it["name"]: it["containerPort"] for it in container_of(workload)["ports"]}


def _probes(workload: Resource) -> dict[str, Any]:
    return {key: value for key, value in container_of(workload).items() if key.endswith("Probe")}


@EACH
def test_passwords_are_only_referred_to(name: str) -> None:
    """No Secret is made here; the document says how to make each one, with every key."""
    assert kinds(name, "Secret") == []
    for workload in workloads(name):
        for it in container_of(workload)["env"]:
            if reference := it.get("valueFrom", {}).get("secretKeyRef"):
                assert f"create secret generic {reference['name']} " in DOCUMENT
                assert f"--from-literal={reference['key']}=" in DOCUMENT
            else:
                assert not re.search(r"(?i)password|token|secret", it["name"]), it["name"]
        for volume in pod_of(workload).get("volumes", []):
            if "secret" in volume:
                assert f"create secret generic {volume['secret']['secretName']} " in DOCUMENT
    for ingress in kinds(name, "Ingress"):
        assert ingress["spec"]["tls"][0]["secretName"] in DOCUMENT


@EACH
def test_what_is_referred_to_is_there(name: str) -> None:
    """ConfigMaps, service accounts, claims; and each mount has its volume."""
    found = {identity(it) for it in built(name)}
    for workload in workloads(name):
        pod = pod_of(workload)
        if "serviceAccountName" in pod:
            assert ("ServiceAccount", pod["serviceAccountName"]) in found
        for source in container_of(workload).get("envFrom", []):
            assert ("ConfigMap", source["configMapRef"]["name"]) in found
        volumes = {it["name"] for it in pod.get("volumes", [])}
        volumes |= {it["metadata"]["name"] for it in workload["spec"].get("volumeClaimTemplates", [])}
        assert {it["name"] for it in container_of(workload).get("volumeMounts", [])} == volumes
        for volume in pod.get("volumes", []):
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in found
    for scaler in (*kinds(name, "HorizontalPodAutoscaler"), *kinds(name, "ScaledObject")):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in found


@EACH
@pytest.mark.parametrize("component", ["api", "worker"])
def test_the_environment_is_one_that_is_taken(
    name: str, component: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every name is a setting's, every reference is to a variable before it, and the values are right."""
    given = environment(name, one(name, "Deployment", component))
    ours = {key: value for key, value in given.items() if key.startswith(PREFIX)}
    known = {it.upper() for it in Settings.model_fields}
    assert {key.removeprefix(PREFIX) for key in ours} <= known
    assert [value for value in ours.values() if "$(" in value] == []
    assert f"//{component}:{component}-password@" in ours["TASKREEL_REDIS_URL"]
    for key, value in ours.items():
        monkeypatch.setenv(key, value)
    assert load().redis_url == ours["TASKREEL_REDIS_URL"]


@EACH
def test_pods_fulfil_the_restricted_profile(name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and nothing can be written."""
    assert (
        one(name, "Namespace", "taskreel")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    for workload in workloads(name):
        pod, container = pod_of(workload), container_of(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
    for account in kinds(name, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@EACH
def test_processes_get_the_time_that_their_drains_take(name: str) -> None:
    """preStop, drain, and what comes after; a rollout takes no pod away before another is ready."""
    api, worker = (one(name, "Deployment", it) for it in ("api", "worker"))
    settings = Settings()
    before = int(container_of(api)["lifecycle"]["preStop"]["exec"]["command"][1])
    pod = settings.pod_drain_seconds + server.SPREAD_SECONDS + server.LINGER_SECONDS + server.CANCEL_SECONDS
    assert pod_of(api)["terminationGracePeriodSeconds"] >= before + pod + 5
    own = (
        settings.drain_seconds + execution.HAND_BACK_SECONDS + main.HANDING_BACK_SECONDS + main.SLACK_SECONDS
    )
    assert pod_of(worker)["terminationGracePeriodSeconds"] >= own + main.EXIT_SECONDS
    for workload in (api, worker):
        assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


async def test_probes_ask_what_a_pod_answers(pod: RunningPod) -> None:
    """A pod that drains, or whose Redis is away, is left alone by the kubelet, but gets no clients."""
    probes = _probes(one("small", "Deployment", "api"))
    paths = {kind: probe["httpGet"]["path"] for kind, probe in probes.items()}
    assert set(paths) == {"startupProbe", "readinessProbe", "livenessProbe"}
    assert [(await pod.client.get(path)).status_code for path in paths.values()] == [200] * 3
    pod.pod.streams.draining = True
    assert (await pod.client.get(paths["readinessProbe"])).status_code == 503
    assert (await pod.client.get(paths["livenessProbe"])).status_code == 200


@EACH
def test_ingress_says_what_the_proxy_of_compose_says(name: str) -> None:
    """The same times and limits, in the annotations' words."""
    (ingress,) = kinds(name, "Ingress")
    nginx = (ROOT / "deploy/nginx/pods.conf").read_text() + (ROOT / "deploy/nginx/nginx.conf").read_text()
    prefix = "nginx.ingress.kubernetes.io/"
    for key, value in ingress["metadata"]["annotations"].items():
        directive = key.removeprefix(prefix).replace("-", "_")
        written = "client_max_body_size" if directive == "proxy_body_size" else directive
        assert re.search(rf"\b{written} {value}s?;", nginx), key
    assert Settings().heartbeat_seconds * 4 <= 60


@EACH
def test_tags_are_versions(name: str) -> None:
    """Never what `latest` is just then."""
    for workload in workloads(name):
        assert re.fullmatch(r"[a-z./-]+:v?\d[\w.-]*", container_of(workload)["image"])
