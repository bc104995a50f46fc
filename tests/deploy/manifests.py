"""All that is built from deploy/kubernetes: both overlays, and the small one with all other components."""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

from tests.deploy.kustomize import Resource, build, pod_of

ROOT = Path(__file__).resolve().parents[2]
BUILT = ("small", "large", "optional")
OPTIONAL = ("streams-hpa", "queue-hpa", "model-egress")
_REFERENCE = re.compile(r"\$\((\w+)\)")


def variant(name: str, deploy: Path) -> Path:
    """The folder of an overlay in a copy of deploy/; the optional one is made."""
    folder = deploy / "kubernetes/overlays" / name
    if name == "optional":
        folder.mkdir()
        said = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../small"],
            "components": [f"../../components/{it}" for it in OPTIONAL],
            "namespace": "taskreel",
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(said))
    return folder


@cache
def built(name: str) -> list[Resource]:
    """What that overlay comes to. Not to be changed."""
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "deploy"
        shutil.copytree(ROOT / "deploy", copied)
        return build(variant(name, copied))


def kinds(name: str, kind: str) -> list[Resource]:
    """The resources of a kind."""
    return [it for it in built(name) if it["kind"] == kind]


def one(name: str, kind: str, called: str) -> Resource:
    """The resource of that kind and name."""
    (found,) = [it for it in kinds(name, kind) if it["metadata"]["name"] == called]
    return found


def workloads(name: str) -> list[Resource]:
    """What has pods."""
    return [it for it in built(name) if pod_of(it)]


def labels_of(workload: Resource) -> dict[str, str]:
    """The labels of its pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload: Resource) -> Resource:
    """Its pods' only container."""
    (found,) = pod_of(workload)["containers"]
    return found


def environment(name: str, workload: Resource) -> dict[str, str]:
    """The variables of a container, each secret as its key's name; a $(NAME) is one that stands before.

    A token is longer than its key's name.
    """
    container, found = container_of(workload), dict[str, str]()
    for source in container.get("envFrom", []):
        found |= one(name, "ConfigMap", source["configMapRef"]["name"])["data"]
    earlier: dict[str, str] = {}
    for it in container.get("env", []):
        value = it["value"] if "value" in it else it["valueFrom"]["secretKeyRef"]["key"]
        value = f"{value}-of-sixteen-characters" if value == "metrics-token" else value
        earlier[it["name"]] = _REFERENCE.sub(lambda match: earlier.get(match[1], match[0]), value)
    return found | earlier
