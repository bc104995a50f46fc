"""The builder of the tests makes what the real one does, and refuses what it doesn't know."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.kustomize import build, identity
from tests.deploy.manifests import BUILT, ROOT, variant


@pytest.mark.parametrize("name", BUILT)
def test_it_makes_what_kustomize_makes(name: str, tmp_path: Path) -> None:
    """Each object, whole."""
    program = shutil.which("kustomize")
    words = [program, "build"] if program else ["kubectl", "kustomize"]
    if shutil.which(words[0]) is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    copied = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy", copied)
    folder = variant(name, copied)
    done = subprocess.run([*words, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = {identity(it): it for it in yaml.safe_load_all(done.stdout)}
    assert {identity(it): it for it in build(folder)} == theirs


HEAD: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
TARGET = {"kind": "ConfigMap", "name": "a"}


@pytest.mark.parametrize(
    "said",
    [
        {"namePrefix": "x-"},
        {"configMapGenerator": [{"name": "b", "files": ["a.yaml"]}]},
        {"patches": [{"path": "patch.yaml"}]},
        {"patches": [{"path": "patch.yaml", "target": {**TARGET, "version": "v1"}}]},
        {"patches": [{"path": "patch.yaml", "target": TARGET}]},
        {"resources": ["a.yaml", "a.yaml"]},
        {"apiVersion": "kustomize.config.k8s.io/v1"},
    ],
)
def test_what_it_does_not_know_is_refused(said: dict[str, Any], tmp_path: Path) -> None:
    """And never passed over."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"kind": "ConfigMap", "metadata": {"name": "a"}}))
    (tmp_path / "patch.yaml").write_text("- {op: replace, path: /data, value: {}}\n")
    kustomization = {**HEAD, "resources": ["a.yaml"], **said}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    with pytest.raises(ValueError, match=r"known here|twice|has a path"):
        build(tmp_path)
