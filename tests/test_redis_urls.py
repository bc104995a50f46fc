"""URLs of Redis: what each form names, what is refused, and that no password is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import SettingsError
from events.servers.urls import Kind, parse, shown
from events.settings import Settings, load

CLUSTER = "redis+cluster://10.0.0.1:7000,10.0.0.2"


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    """With a user and a password for all of them; ports are Redis's unless told otherwise."""
    found = parse("rediss+cluster://api:p%40ss@one:7000,[2001:db8::1]:7001,two/?ssl_ca_certs=/ca.pem")
    assert found.kind is Kind.CLUSTER
    assert found.addresses == (("one", 7000), ("2001:db8::1", 7001), ("two", 6379))
    assert (found.options["username"], found.options["password"]) == ("api", "p@ss")
    assert (found.options["ssl_ca_certs"], found.options["ssl_check_hostname"]) == ("/ca.pem", True)
    assert found.tls
    assert "host" not in found.options


def test_a_primary_is_named_by_its_sentinels() -> None:
    """They may know us by another password than the servers do, and have the same certificates."""
    found = parse(
        "rediss+sentinel://api:one@a:26380,b/main/2?sentinel_username=s&sentinel_password=two&ssl_ca_certs=/ca"
    )
    assert (found.kind, found.service, found.options["db"]) == (Kind.SENTINEL, "main", 2)
    assert found.addresses == (("a", 26380), ("b", 26379))
    assert (found.options["username"], found.options["password"]) == ("api", "one")
    assert (found.sentinel_options["username"], found.sentinel_options["password"]) == ("s", "two")
    assert found.sentinel_options["ssl_ca_certs"] == "/ca"
    assert "db" not in found.sentinel_options


def test_sentinels_without_a_password_get_none() -> None:
    """Not the servers'."""
    assert not parse("redis+sentinel://api:one@a/main").sentinel_options.keys() & {"username", "password"}


@pytest.mark.parametrize(
    "url",
    [
        "", "redis", "http://h", "redis+cluster://", "redis+cluster://,", "redis+cluster://a:x", "redis+cluster://a:0",
        "redis+cluster://a:65536", "redis+cluster://a/1", "redis+cluster://a?db=1", "redis+cluster://[::1", "redis://h:x",
        "redis+cluster://[zz]:1", "redis+cluster://a b:1", "redis+sentinel://a", "redis+sentinel://a/", "redis://[::1",
        "redis+sentinel://a/s/x", "redis+sentinel://a/s%2Fx", "redis+sentinel:///s", "unix+cluster://a", "redis://h:99999",
        "redis://h?colour=red", "redis://user:12/34@h", "redis://user:12#34@h", "redis://user:12?34@h",
        "redis+cluster://a?sentinel_password=x", "redis://h?socket_timeout=soon",
    ],
)  # fmt: skip
def test_what_names_no_servers_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that says what would be taken."""
    with pytest.raises(ValueError, match=r"Redis URL|service|database"):
        parse(url)
    monkeypatch.setenv("TASKREEL_REDIS_URL", url)
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).startswith("TASKREEL_REDIS_URL=")
    assert "\n" not in str(refused.value)


def told(url: str) -> str:
    """What is said against a URL, if anything."""
    try:
        parse(url)
    except ValueError as error:
        return str(error)
    return ""


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8))
def test_no_password_is_repeated(text: str) -> None:
    """Wherever it stands and whatever it has of what URLs are made of, right or wrong."""
    password = f"can{text}ary"
    for url in (
        f"redis://user:{password}@h:1/0", f"redis+cluster://:{password}@h:1,i:2", f"redis://h?password={password}",
        f"redis+sentinel://u:{password}@h/s?sentinel_password={password}", f"redis+cluster://u:{password}@h:x",
    ):  # fmt: skip
        assert "ary" not in shown(url)
        assert "ary" not in told(url)


def test_what_is_shown_tells_where_and_who() -> None:
    """For messages to people."""
    assert shown("redis+cluster://ops:secret@a:1,b:2") == "redis+cluster://ops:***@a:1,b:2"
    assert shown("redis://a:1/0") == "redis://a:1/0"
    assert (
        shown("redis+sentinel://a/s?sentinel_password=x&db=1") == "redis+sentinel://a/s?sentinel_password=***"
    )


def test_a_queue_can_not_be_on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its own URL nor by having none; one line tells which variable to set."""
    monkeypatch.setenv("TASKREEL_REDIS_URL", CLUSTER)
    with pytest.raises(SettingsError, match=r"^TASKREEL_QUEUE_URL is not set\. It takes: the URL of a Redis"):
        load()
    monkeypatch.setenv("TASKREEL_QUEUE_URL", CLUSTER)
    with pytest.raises(SettingsError, match=r"^TASKREEL_QUEUE_URL='redis\+cluster://"):
        load()
    monkeypatch.setenv("TASKREEL_QUEUE_URL", "redis+sentinel://a/main")
    assert load().queue_url == "redis+sentinel://a/main"
    monkeypatch.setenv("TASKREEL_REDIS_URL", "redis://h")
    assert load().redis_url == "redis://h"


def test_without_a_url_of_its_own_the_queue_is_with_the_log() -> None:
    """On anything but a Cluster."""
    assert Settings(redis_url="redis+sentinel://a/main").queue_url is None
