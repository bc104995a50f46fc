"""What `kustomize build` makes of deploy/kubernetes, for the few of its features that are used there.

They are: resources, components, namespace, patches by JSON Patch (RFC 6902) with a target, images, and a
ConfigMap of files without a hash in its name. Anything else is refused. A test compares with the real one,
where that is installed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml

Resource = dict[str, Any]

_KINDS = {"Kustomization": "kustomize.config.k8s.io/v1beta1", "Component": "kustomize.config.k8s.io/v1alpha1"}
_FIELDS = frozenset(
    {
        *("apiVersion", "kind", "namespace", "resources", "components", "patches", "images"),
        *("configMapGenerator", "generatorOptions"),
    }
)


def build(folder: Path) -> list[Resource]:
    """The resources of a folder with a kustomization.yaml.

    Raises:
        ValueError: it uses what isn't known here, or two resources have the same kind and name.
    """
    found: list[Resource] = []
    _accumulate(folder, found)
    names = [identity(resource) for resource in found]
    if len(set(names)) < len(names):
        raise ValueError(f"{folder} has a resource twice: {sorted(names)}")
    return found


def identity(resource: Resource) -> tuple[str, str]:
    """Its kind and name."""
    return resource["kind"], resource["metadata"]["name"]


def documents(path: Path) -> list[Resource]:
    """All documents of a file, none of which shares a part with another."""
    return [copy.deepcopy(it) for it in yaml.safe_load_all(path.read_text()) if it]


def _accumulate(folder: Path, found: list[Resource]) -> None:
    """Add a folder's resources to those that there are, and change all of them as it says."""
    (said,) = documents(folder / "kustomization.yaml")
    if unknown := set(said) - _FIELDS:
        raise ValueError(f"{folder} uses {sorted(unknown)}, which isn't known here")
    if _KINDS.get(said["kind"]) != said["apiVersion"]:
        raise ValueError(f"{folder} is of a kind that isn't known here")
    own: list[Resource] = found if said["kind"] == "Component" else []
    for name in said.get("resources", []):
        if (folder / name).is_dir():
            _accumulate(folder / name, own)
        else:
            own += documents(folder / name)
    for name in said.get("components", []):
        _accumulate(folder / name, own)
    own += [_config_map(folder, it, said) for it in said.get("configMapGenerator", [])]
    for patch in said.get("patches", []):
        _patch(folder, patch, own)
    _settle(own, said)
    if own is not found:
        found += own


def _config_map(folder: Path, wanted: dict[str, Any], said: dict[str, Any]) -> Resource:
    if said.get("generatorOptions") != {"disableNameSuffixHash": True} or set(wanted) != {"name", "files"}:
        raise ValueError(f"{folder}: only ConfigMaps of files, without a hash, are known here")
    data = {name: (folder / name).read_text() for name in wanted["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": wanted["name"]}, "data": data}


def _patch(folder: Path, patch: dict[str, Any], resources: Sequence[Resource]) -> None:
    if set(patch) != {"path", "target"} or set(patch["target"]) != {"kind", "name"}:
        raise ValueError(f"{folder}: a patch has a path, and a target of kind and name")
    target = (patch["target"]["kind"], patch["target"]["name"])
    (resource,) = [it for it in resources if identity(it) == target]
    (operations,) = documents(folder / patch["path"])
    for operation in cast("list[dict[str, Any]]", operations):
        _operate(resource, operation)


def _operate(resource: Resource, operation: dict[str, Any]) -> None:
    *way, last = operation["path"].removeprefix("/").split("/")
    place: Any = resource
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    kind, value = operation["op"], operation.get("value")
    if kind == "add" and last == "-":
        place.append(value)
    elif kind == "add" or (kind == "replace" and last in place):
        place[last] = value
    elif kind == "remove":
        del place[last]
    else:
        raise ValueError(f"this patch isn't known here, or changes nothing: {operation}")


def _settle(resources: Sequence[Resource], said: dict[str, Any]) -> None:
    for resource in resources:
        if "namespace" in said and resource["kind"] != "Namespace":
            resource["metadata"]["namespace"] = said["namespace"]
        for image in said.get("images", []):
            for container in pod_of(resource).get("containers", []):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"


def pod_of(resource: Resource) -> dict[str, Any]:
    """What a workload's pods are made from; empty for all else."""
    return resource.get("spec", {}).get("template", {}).get("spec", {})
