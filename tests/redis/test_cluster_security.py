"""A Cluster as operators secure it: TLS, passwords, and the users of deploy/redis on each of its nodes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from events import preflight
from events.connect import connect
from events.errors import SettingsError
from events.settings import Settings
from tests.redis.servers import filled
from tests.support.cluster import cluster
from tests.support.graphs import SPECS
from tests.support.pods import running_pod, running_worker
from tests.support.sentinel import sentinel
from tests.support.server import Server, server
from tests.support.system import command
from tests.support.tasks import until_status
from tests.support.waiting import wait_until

PASSWORD = "s3cret"
RULES = re.compile(r"\([^)]*\)|\S+")


@pytest.fixture(scope="module")
def queue() -> Iterator[Server]:
    """Where the queue is, for logs on a Cluster."""
    with server("valkey") as it:
        yield it


@contextmanager
def users_on(*nodes: Server) -> Generator[None]:
    """The users of deploy/redis on each of these, each with its name as password; none may be refused."""
    for line in filled().splitlines():
        _, name, *rules = RULES.findall(line)
        for node in nodes if name != "default" else ():
            node.call("ACL", "SETUSER", name, *rules)
    yield
    assert [entry for node in nodes for entry in refusals(node)] == []


def refusals(node: Server) -> Sequence[Any]:
    """What the node has refused to anybody."""
    return node.call("ACL", "LOG")


def as_user(url: str, user: str) -> str:
    """The URL for another user, whose name is the password."""
    return re.sub("//([^@]*@)?", f"//{user}:{user}@", url, count=1)


async def lack_nothing(url: str, queue_url: str | None) -> None:
    """A task that succeeds, one that fails, and one that is cancelled as it waits, by `api` and `worker`."""
    pods, workers = (
        Settings(redis_url=as_user(url, user), queue_url=queue_url, lease_seconds=2, drain_seconds=0)
        for user in ("api", "worker")
    )
    await asyncio.to_thread(preflight.check, pods, "api")
    await asyncio.to_thread(preflight.check, workers, "worker")
    async with running_pod(pods) as pod, running_worker(workers, SPECS):
        for graph, status in (("counting", "succeeded"), ("failing", "failed"), ("asking", "waiting")):
            task_id = await pod.submit(graph)
            await until_status(pod, task_id, status)
        assert (await pod.client.post(f"/tasks/{task_id}/cancel")).status_code == 202
        await until_status(pod, task_id, "cancelled")

        async def listed() -> bool:  # a little after it has ended
            return bool((await pod.client.get("/tasks?status=cancelled")).json()["tasks"])

        await wait_until(listed)


async def test_pods_and_workers_lack_nothing_on_a_cluster(queue: Server) -> None:
    """As the users that they are on a single server, whichever node they speak to."""
    with cluster(replicas=0) as it, users_on(*it.nodes):
        await lack_nothing(it.url, queue.url())
        environment = {"PATH": os.environ["PATH"], "TASKREEL_REDIS_URL": as_user(it.url, "ops")}
        environment["TASKREEL_QUEUE_URL"] = queue.url()
        words = command("keys", "new", "--name", "ada", "--role", "ops", "--tenant", "acme")
        await asyncio.to_thread(subprocess.run, words, env=environment, capture_output=True, check=True)
        listed = await asyncio.to_thread(
            subprocess.run, command("keys", "ls"), env=environment, capture_output=True, check=True
        )
        assert b"ada" in listed.stdout


async def test_pods_and_workers_lack_nothing_with_sentinels() -> None:
    """Log and queue have the same primary; replicas have the same users."""
    with sentinel(replicas=1) as it, users_on(*it.servers):
        await lack_nothing(it.url, None)


@pytest.fixture
def papers(tmp_path: Path) -> dict[str, Path]:
    """A server's certificate and key, and who vouches, as files."""
    authority, found = trustme.CA(), {name: tmp_path / f"{name}.pem" for name in ("ca-cert", "cert", "key")}
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(found["ca-cert"]))
    issued.cert_chain_pems[0].write_to_path(str(found["cert"]))
    issued.private_key_pem.write_to_path(str(found["key"]))
    return found


async def test_a_cluster_speaks_tls_and_asks_for_a_password(papers: dict[str, Path], queue: Server) -> None:
    """Nodes tell of each other's ports for TLS; who doesn't trust the authority is told so at the start.

    The embedded Valkey has no TLS, so this is the Redis on PATH.
    """
    options = [word for name, path in papers.items() for word in (f"--tls-{name}-file", str(path))]
    options += ["--tls-auth-clients", "no", "--tls-cluster", "yes"]
    with cluster(3, 0, *options, server="redis", password=PASSWORD) as it:
        url = f"{it.tls_url}?ssl_ca_certs={papers['ca-cert']}"
        client: Any = connect(url)
        assert [await client.set(str(number), number) for number in range(30)] == [True] * 30
        moved = it.slot("moved")
        await it.migrate_slot(moved, next(node for node in it.primaries() if node is not it.owner(moved)))
        await client.set("moved", "x")
        assert await client.get("moved") == b"x"
        await client.aclose()
        trusting = Settings(redis_url=url, queue_url=queue.url())
        await asyncio.to_thread(preflight.check, trusting, "api")
        for wrong, told in (
            (it.tls_url, "the server's certificate is refused"),
            (url.replace(PASSWORD, "wrong"), "Redis doesn't let this user in"),
        ):
            settings = Settings(redis_url=wrong, queue_url=queue.url())
            with pytest.raises(SettingsError, match=f"^TASKREEL_REDIS_URL: {told}"):
                await asyncio.to_thread(preflight.check, settings, "api")
