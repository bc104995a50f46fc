"""docker-compose.yml as it stands: by the specification's schema, and by what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.edge import server
from api.edge.limits import needed_files
from events.settings import PREFIX, Settings
from tests.support.compose import FILE, ROOT, interpolate, load, services, variables
from worker import execution, main

TLS = ROOT / "deploy/compose.tls.yml"
OURS = ("pod-1", "pod-2", "worker-1", "worker-2")
LONG_RUNNING = (*OURS, "valkey", "nginx", "prometheus", "grafana")


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """The services."""
    return services(variables())


def seconds(text: str) -> float:
    """A duration of Compose's in seconds, such as `20s`."""
    assert text.endswith("s")
    return float(text[:-1])


@pytest.mark.parametrize("path", [FILE, TLS], ids=lambda path: path.name)
def test_the_file_is_as_the_specification_has_it(path: Path) -> None:
    """By the Compose specification's own JSON Schema."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A ${A} $$A", "held held $A"),
        ("${B:-word} ${B-word} ${C-word} ${C}", "word  word "),
        ("${A:+word} ${B:+word} ${B+word}", "word  word"),
        ("${A:?missing}", "held"),
    ],
)
def test_variables_are_put_in_by_composes_rules(text: str, expected: str) -> None:
    """Set, empty and unset ones."""
    assert interpolate(text, {"A": "held", "B": ""}) == expected


@pytest.mark.parametrize(
    ("text", "error"), [("${B:?why}", KeyError), ("${A", ValueError), ("${A:x}", ValueError)]
)
def test_what_compose_refuses_is_refused(text: str, error: type[Exception]) -> None:
    """A variable that must be there, and what is no variable."""
    with pytest.raises(error):
        interpolate(text, {"B": ""})


@pytest.mark.parametrize("missing", sorted(variables()))
def test_no_password_has_a_default(missing: str) -> None:
    """Without any one of them, nothing starts."""
    given = {name: value for name, value in variables().items() if name != missing}
    with pytest.raises(KeyError, match=missing):
        load(FILE, given)


def test_the_head_of_the_file_names_all_variables_that_are_needed() -> None:
    """Whoever does what it says has them all."""
    (line,) = [line for line in FILE.read_text().splitlines() if line.startswith("#   for name in ")]
    names = line.partition(" in ")[2].partition(";")[0].split()
    assert {f"{PREFIX}{name}" for name in names} == set(variables())


def test_nothing_but_the_proxy_can_be_made_public(found: dict[str, dict[str, Any]]) -> None:
    """Each port is published on loopback, unless its user says otherwise of the proxy's."""
    ports = {name: service["ports"] for name, service in found.items() if "ports" in service}
    assert ports == {
        "nginx": ["127.0.0.1:8000:8080"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    public = services({**variables(), "TASKREEL_LISTEN": "80"})
    assert public["nginx"]["ports"] == ["80:8080"]


def test_no_service_has_more_rights_than_it_needs(found: dict[str, dict[str, Any]]) -> None:
    """No capabilities, no new privileges, and a file system that can't be written; but Grafana's."""
    for name, service in found.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) is (name != "grafana"), name
        assert "privileged" not in service
        assert "network_mode" not in service


def test_services_come_back_and_images_are_pinned(found: dict[str, dict[str, Any]]) -> None:
    """A tag with a version; ours is built."""
    for name in LONG_RUNNING:
        assert found[name]["restart"] == "unless-stopped", name
        if name not in OURS:
            _, _, tag = found[name]["image"].partition(":")
            assert tag.lstrip("v")[0].isdigit(), name
    assert found["ops"]["profiles"] == ["ops"]


def test_what_is_mounted_is_there(found: dict[str, dict[str, Any]]) -> None:
    """Each file and folder of the repository's, read-only."""
    sources = [mount.split(":") for service in found.values() for mount in service.get("volumes", [])]
    sources += [mount.split(":") for mount in tls_mounts() if mount.startswith(".")]
    local = [(source.removeprefix("./"), mode) for source, _, *mode in sources if source.startswith(".")]
    assert len(local) >= 5
    assert [source for source, mode in local if mode != ["ro"]] == []
    assert [source for source, _ in local if not (ROOT / source).exists()] == []


def tls_mounts() -> list[str]:
    """What compose.tls.yml mounts into nginx."""
    document = load(TLS, {"TASKREEL_CERTIFICATE": "/certificate"})
    return document["services"]["nginx"]["volumes"]


def test_https_mounts_what_its_server_names() -> None:
    """The certificate, its key and the server's own file are where nginx looks for them."""
    targets = {mount.split(":")[1] for mount in tls_mounts()}
    configuration = (ROOT / "deploy/nginx/tls.conf").read_text()
    assert targets == {f"/etc/taskreel/tls/{name}" for name in ("tls.conf", "tls.crt", "tls.key")}
    assert all(target in configuration for target in targets if not target.endswith(".conf"))
    assert "include /etc/taskreel/tls/*.conf;" in (ROOT / "deploy/nginx/nginx.conf").read_text()


def test_every_variable_is_a_setting(found: dict[str, dict[str, Any]]) -> None:
    """A misspelt one would be passed over."""
    known = {name.upper() for name in Settings.model_fields}
    for name in (*OURS, "ops"):
        ours = [key.removeprefix(PREFIX) for key in found[name]["environment"] if key.startswith(PREFIX)]
        assert set(ours) <= known, name


def test_processes_get_the_time_that_their_drains_take(found: dict[str, dict[str, Any]]) -> None:
    """A service that is killed before its drain is over loses what the drain is for."""
    settings = Settings()
    pod = settings.pod_drain_seconds + server.SPREAD_SECONDS + server.LINGER_SECONDS + server.CANCEL_SECONDS
    worker = (
        settings.drain_seconds + execution.HAND_BACK_SECONDS + main.HANDING_BACK_SECONDS + main.SLACK_SECONDS
    )
    for name in ("pod-1", "pod-2"):
        assert seconds(found[name]["stop_grace_period"]) >= pod + 5
    for name in ("worker-1", "worker-2"):
        assert seconds(found[name]["stop_grace_period"]) >= worker + main.EXIT_SECONDS


def test_every_pod_is_one_of_the_proxys(found: dict[str, dict[str, Any]]) -> None:
    """And the proxy waits for all of them; the files a pod may have open carry its streams."""
    pods = {name for name in found if name.startswith("pod-")}
    configuration = (ROOT / "deploy/nginx/upstream.conf").read_text()
    assert {line.split()[1] for line in configuration.splitlines() if line.startswith("    server ")} == {
        f"{name}:8000" for name in pods
    }
    assert set(found["nginx"]["depends_on"]) == pods
    for name in pods:
        assert found[name]["ulimits"]["nofile"]["hard"] >= needed_files(Settings().max_streams)
