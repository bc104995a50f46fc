"""Preflight where there are several servers, and where milestones have to be safe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from events import preflight
from events.durability import Level
from events.errors import SettingsError
from events.settings import Settings
from tests.redis.users import settings_of
from tests.support.cluster import Cluster, cluster
from tests.support.sentinel import sentinel
from tests.support.server import Server, free_port, server

DURABLE = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """A Cluster that each test leaves as it was."""
    with cluster(replicas=0) as it:
        yield it


@pytest.fixture(scope="module")
def queue() -> Iterator[Server]:
    """Where the queue is."""
    with server("valkey") as it:
        yield it


def test_each_primary_of_a_cluster_is_looked_at(nodes: Cluster, queue: Server) -> None:
    """One that throws away logs is enough to be refused."""
    settings = Settings(redis_url=nodes.url, queue_url=queue.url())
    preflight.check(settings, "api")
    for node in nodes.nodes:
        node.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        with pytest.raises(SettingsError, match="TASKREEL_REDIS_URL: its maxmemory-policy is allkeys-lru"):
            preflight.check(settings, "worker")
        node.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a_right_that_one_node_does_not_grant_is_told(nodes: Cluster, queue: Server) -> None:
    """Users aren't copied from node to node, so one may lack what the others have."""
    for node in nodes.nodes:
        node.call("ACL", "SETUSER", "mine", "on", ">mine", "~*", "&*", "+@all")
    settings = Settings(redis_url=nodes.url.replace("//", "//mine:mine@"), queue_url=queue.url())
    preflight.check(settings, "worker")
    durable = settings.model_copy(update={"durability": Level.REPLICA})
    for node in nodes.nodes:
        for right, told in (("zrem", "ZREM taskreel:deadlines"), ("wait", "WAIT 0")):
            node.call("ACL", "SETUSER", "mine", f"-{right}")
            with pytest.raises(SettingsError, match=f"TASKREEL_REDIS_URL: its user may not {told}"):
                preflight.check(durable, "worker")
            node.call("ACL", "SETUSER", "mine", f"+{right}")
    for node in nodes.nodes:
        node.call("ACL", "SETUSER", "mine", "-cluster|slots")
    with pytest.raises(SettingsError, match=r"its user is refused something: .*cluster\|slots"):
        preflight.check(settings, "worker")


def test_a_cluster_that_is_away_is_waited_for(queue: Server, caplog: pytest.LogCaptureFixture) -> None:
    """So is a primary that no sentinel knows."""
    for url in (f"redis+cluster://127.0.0.1:{free_port()}", f"redis+sentinel://127.0.0.1:{free_port()}/main"):
        caplog.clear()
        preflight.check(Settings(redis_url=url, queue_url=queue.url()), "api")
        assert "it is looked at when it comes" in caplog.text


def test_the_primary_that_sentinels_name_is_looked_at() -> None:
    """Not a replica."""
    with sentinel(replicas=1) as it:
        it.replicas()[0].call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        preflight.check(Settings(redis_url=it.url), "api")
        it.primary().call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        with pytest.raises(SettingsError, match="allkeys-lru"):
            preflight.check(Settings(redis_url=it.url), "api")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "appendonly is disabled"),
        (
            {"appendonly": "yes", "appendfsync": "everysec"},
            "here it is everysec, which loses what it confirms",
        ),
        (DURABLE, None),
    ],
)
def test_what_can_not_be_safe_on_disk_is_refused(options: dict[str, str], told: str | None) -> None:
    """For TASKREEL_DURABILITY=primary there must be a disk that is waited for."""
    with server("valkey", *(word for name, value in options.items() for word in (f"--{name}", value))) as it:
        settings = settings_of(it, durability=Level.PRIMARY)
        if told is None:
            preflight.check(settings, "api")
        else:
            with pytest.raises(SettingsError, match=f"needs Redis 7.2 .*{told}") as refused:
                preflight.check(settings, "api")
            assert "\n" not in str(refused.value)


def test_a_redis_that_can_not_tell_of_its_disk_is_refused() -> None:
    """WAITAOF came with Redis 7.2."""
    with server("redis", "--appendonly", "yes", "--appendfsync", "always") as it:
        if not it.told("server")["redis_version"].startswith("7.0."):
            pytest.skip("this Redis has WAITAOF")
        with pytest.raises(SettingsError, match="this one says: unknown command 'WAITAOF'"):
            preflight.check(settings_of(it, durability=Level.PRIMARY), "worker")


def test_a_user_that_may_not_look_at_the_settings_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    """CONFIG GET would show passwords too, so the users of deploy/redis haven't got it."""
    with server("valkey", *(word for name, value in DURABLE.items() for word in (f"--{name}", value))) as it:
        it.call("ACL", "SETUSER", "mine", "on", ">mine", "~*", "&*", "+@all", "-config")
        preflight.check(settings_of(it, "mine", durability=Level.PRIMARY), "api")
    assert "its user may not CONFIG GET" in caplog.text


def test_a_node_of_a_cluster_is_not_taken_for_a_server(nodes: Cluster, queue: Server) -> None:
    """Nor is a server for a Cluster, in either place; each line says how the URL should begin."""
    node = nodes.nodes[0].url()
    of_cluster = queue.url().replace("redis://", "redis+cluster://").removesuffix("/0")
    for url, queue_url, told in (
        (node, queue.url(), r"TASKREEL_REDIS_URL: .* write redis\+cluster://"),
        (queue.url(), node, r"TASKREEL_QUEUE_URL: .* write redis\+cluster://"),
        (of_cluster, queue.url(), r"TASKREEL_REDIS_URL: .* write redis:// in place of"),
        (queue.url().replace("redis:", "redis+sentinel:").replace("/0", "/mine"), None, "is no sentinel"),
    ):
        with pytest.raises(SettingsError, match=told):
            preflight.check(Settings(redis_url=url, queue_url=queue_url), "api")


def test_replicas_that_lack_are_told(queue: Server, caplog: pytest.LogCaptureFixture) -> None:
    """They may come; until then submits are refused, and nobody should have to guess why."""
    settings = Settings(redis_url=queue.url(), durability=Level.REPLICA, durability_replicas=2)
    preflight.check(settings, "api")
    assert "0 of the 2 replicas that milestones wait for are there" in caplog.text
