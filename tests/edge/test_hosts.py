"""Which names a pod answers to."""

from __future__ import annotations

import pytest

from api.edge.admission import Admission
from api.edge.hosts import LOOPBACK, Hosts
from events.errors import SettingsError
from events.settings import Settings, load
from tests.edge.conftest import PLACES
from tests.edge.test_heads import assert_refused
from tests.support.answers import parse
from tests.support.pods import running_pod
from tests.support.wire import EVENT_STREAM, exchange

NAMES = ["api.example.com", "*.example.org", "[2001:db8::1]"]
OURS = [
    "api.example.com", "API.Example.COM", "api.example.com:8000", "api.example.com.", "api.example.com:",
    "a.example.org", "a.b.example.org:443", "[2001:db8::1]", "[2001:DB8::1]:8000",
]  # fmt: skip
NOT_OURS = [
    "", "example.com", "evil.api.example.com", "api.example.com.evil.com", "api.example.comevil",
    "example.org", ".example.org", "evil-example.org", "localhost", "127.0.0.1", "[::1]",
    "evil@api.example.com", "api.example.com@evil.com", "api.example.com:80:80", "api.example.com:x",
    "api.example.com/", "api.example.com ,a", "api.example.com#", "[2001:db8::1", "2001:db8::1",
    "\xe9.example.org", "a\x00.example.org", "..",
]  # fmt: skip


def test_a_host_is_one_of_the_names() -> None:
    """Exact ones, and all below a wildcard; neither port nor case nor the root's dot count."""
    hosts = Hosts(NAMES)
    assert [name for name in OURS if not hosts.take(name.encode())] == []
    assert [name for name in NOT_OURS if hosts.take(name.encode("latin-1"))] == []


async def test_a_request_for_another_host_is_misdirected(settings: Settings) -> None:
    """Whatever it asks for, a browser's stream too; only probes come by address, and learn that it lives."""
    admission = Admission(PLACES, hosts=Hosts([*LOOPBACK, "api.example.com"]))
    async with running_pod(settings, admission=admission) as pod:
        for path in (
            "/",
            "/tasks",
            "/docs",
            "/console/main.js",
            "/healthz/",
            "/healthz?x",
            "/tasks/x/stream",
        ):
            for host in ("CANARY.com", "", "127.0.0.2", "a/b"):
                request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {EVENT_STREAM['Accept']}\r\n\r\n"
                assert_refused(parse(await exchange(pod, request.encode())), (421, "misdirected_request"))
        assert (await pod.client.get("/tasks")).status_code == 200
        assert (await pod.client.get("/tasks", headers={"Host": "api.example.com"})).status_code == 200
        for path in ("/healthz", "/readyz"):
            assert (await pod.client.get(path, headers={"Host": "10.1.2.3"})).status_code == 200
        old = await exchange(pod, b"GET /tasks HTTP/1.0\r\n\r\n")
        assert_refused(parse(old), (421, "misdirected_request"))


@pytest.mark.parametrize(
    "name", ["https://a.com", "a.com:80", "*", "a*.com", "a..com", "a.com/", "é.com", "::1"]
)
def test_a_wrong_name_ends_the_process(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With one line that says what it takes."""
    monkeypatch.setenv("TASKREEL_HOSTS", f"api.example.com,{name}")
    with pytest.raises(SettingsError, match=r"^TASKREEL_HOSTS=.* It takes: names such as .*no ports$"):
        load()


def test_names_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comma separated, as the others."""
    monkeypatch.setenv("TASKREEL_HOSTS", "api.example.com, *.example.org,[::1],127.0.0.1")
    assert load().hosts == ["api.example.com", "*.example.org", "[::1]", "127.0.0.1"]
