"""NetworkPolicies let through what is needed, and nothing else."""

from __future__ import annotations

import pytest

from tests.deploy.manifests import BUILT, kinds, labels_of, one
from tests.deploy.policies import Party, allows

PROXY = Party({"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
PROMETHEUS = Party({"app.kubernetes.io/name": "prometheus"}, "monitoring")
STRANGER = Party({"app.kubernetes.io/name": "taskreel"}, "elsewhere")
NAMES = Party({"k8s-app": "kube-dns"}, "kube-system")
MODEL = Party(namespace="", address="203.0.113.7")
METADATA = Party(namespace="", address="169.254.169.254")
CLUSTER = Party(namespace="", address="10.20.0.7")
"""Where the large overlay has its Redis."""


def pods(name: str) -> tuple[Party, Party]:
    """A pod and a worker."""
    api, worker = (Party(labels_of(one(name, "Deployment", it))) for it in ("api", "worker"))
    return api, worker


@pytest.mark.parametrize("name", BUILT)
def test_what_is_needed_passes(name: str) -> None:
    """Clients to pods by the proxy, metrics to Prometheus, and names for all."""
    policies, (api, worker) = kinds(name, "NetworkPolicy"), pods(name)
    assert allows(policies, PROXY, api, 8000)
    assert allows(policies, PROMETHEUS, api, 8000)
    assert allows(policies, PROMETHEUS, worker, 9464)
    for pod in (api, worker):
        assert allows(policies, pod, NAMES, 53, "UDP")
        assert allows(policies, pod, NAMES, 53)


@pytest.mark.parametrize("name", BUILT)
def test_nothing_else_passes(name: str) -> None:
    """Not from other namespaces, not between pods and workers, not to the cloud's metadata."""
    policies, (api, worker) = kinds(name, "NetworkPolicy"), pods(name)
    for source, target, port in (
        (PROXY, worker, 9464), (STRANGER, api, 8000), (STRANGER, worker, 9464),
        (api, worker, 9464), (worker, api, 8000), (api, api, 8000),
        (api, METADATA, 80), (worker, METADATA, 443), (worker, CLUSTER, 443), (worker, MODEL, 80),
    ):  # fmt: skip
        assert not allows(policies, source, target, port), (source, target, port)


@pytest.mark.parametrize("name", ["small", "optional"])
def test_the_own_valkey_is_for_pods_and_workers(name: str) -> None:
    """It's reached by them alone, and reaches nobody."""
    policies, parties = kinds(name, "NetworkPolicy"), pods(name)
    valkey = Party(labels_of(one(name, "StatefulSet", "valkey")))
    assert all(allows(policies, party, valkey, 6379) for party in parties)
    for party in (PROXY, PROMETHEUS, STRANGER):
        assert not allows(policies, party, valkey, 6379)
    assert not any(allows(policies, valkey, party, 443) for party in (*parties, MODEL, METADATA))


def test_the_large_overlays_redis_is_reached() -> None:
    """Cluster and sentinels, at their addresses."""
    policies, parties = kinds("large", "NetworkPolicy"), pods("large")
    assert all(allows(policies, party, CLUSTER, port) for party in parties for port in (6379, 26379))


def test_the_internet_is_reached_where_it_was_asked_for() -> None:
    """By the component alone."""
    for name in BUILT:
        policies, parties = kinds(name, "NetworkPolicy"), pods(name)
        reached = [allows(policies, party, MODEL, 443) for party in parties]
        assert reached == [name == "optional"] * 2
