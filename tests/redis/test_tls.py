"""Redis over TLS, with certificates at both ends. The embedded Valkey speaks none, so a relay does for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis.exceptions import ConnectionError as RedisConnectionError

from events import preflight
from events.connect import connect
from events.errors import SettingsError
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.listening import listening, port_of
from tests.support.pods import running_pod, running_worker
from tests.support.proxy import Proxy
from tests.support.system import command
from tests.support.tasks import until_status


@dataclass(frozen=True)
class Papers:
    """Who vouches, and a client's certificate and key, as files."""

    authority: Path
    certificate: Path
    key: Path

    def url(self, port: int, host: str = "localhost", *, known: bool = True) -> str:
        """The relay's address; a client that isn't known shows no certificate."""
        shown = f"&ssl_certfile={self.certificate}&ssl_keyfile={self.key}" if known else ""
        return f"rediss://{host}:{port}/0?ssl_ca_certs={self.authority}{shown}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom both ends trust."""
    return trustme.CA()


@pytest.fixture
def papers(authority: trustme.CA, tmp_path: Path) -> Papers:
    """A client's."""
    found = Papers(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")
    client = authority.issue_cert("worker.example.com")
    authority.cert_pem.write_to_path(str(found.authority))
    client.cert_chain_pems[0].write_to_path(str(found.certificate))
    client.private_key_pem.write_to_path(str(found.key))
    return found


@pytest.fixture
async def tls_port(authority: trustme.CA, redis_port: int) -> AsyncGenerator[int]:
    """A relay before Valkey that lets in who has a certificate of that authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    relay = Proxy(redis_port)
    async with listening(relay.serve, ssl=context) as server:
        yield port_of(server)
        relay.cut()


@pytest.fixture
def secured(settings: Settings, papers: Papers, tls_port: int) -> Settings:
    """The test's settings, with Redis behind TLS."""
    return settings.model_copy(update={"redis_url": papers.url(tls_port)})


async def test_a_whole_system_speaks_tls(secured: Settings) -> None:
    """Pod, worker, queue, bells, appender, leases and checkpoints."""
    await asyncio.to_thread(preflight.check, secured, "worker")
    async with running_pod(secured) as pod, running_worker(secured, SPECS):
        counting = await pod.submit("counting", input={"count": 50, "pause": 0.01})
        assert [event.event for event in await pod.stream(counting)][-1] == "task.succeeded"
        asking = await pod.submit("asking")
        await until_status(pod, asking, "waiting")
        await pod.client.post(f"/tasks/{asking}/resume", json={"value": 1})
        await until_status(pod, asking, "succeeded")
        endless = await pod.submit("counting", input={"count": 100_000, "pause": 0.02})
        await pod.stream(endless, most=5)
        await pod.client.post(f"/tasks/{endless}/cancel")
        await until_status(pod, endless, "cancelled")


async def test_the_command_line_speaks_tls(secured: Settings) -> None:
    """`taskreel keys` is the command that talks to Redis itself."""
    environment = {
        "PATH": os.environ["PATH"],
        "TASKREEL_REDIS_URL": secured.redis_url,
        "TASKREEL_KEY_PREFIX": secured.key_prefix,
    }
    line = command("keys", "ls", "--json")
    done = await asyncio.to_thread(
        subprocess.run, line, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def refused(url: str) -> str:
    """What the start says to that address; connections there must be refused, too."""
    client = connect(url)
    with contextlib.suppress(RedisConnectionError):
        pytest.fail(f"there is an answer: {await client.ping()}")
    await client.aclose()
    with pytest.raises(SettingsError) as found:
        await asyncio.to_thread(preflight.check, Settings(redis_url=url), "api")
    return str(found.value)


async def test_a_server_that_nobody_known_vouches_for_is_refused(
    papers: Papers, tls_port: int, tmp_path: Path
) -> None:
    """By one line at the start."""
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    url = papers.url(tls_port).replace(str(papers.authority), str(stranger))
    line = await refused(url)
    assert "TASKREEL_REDIS_URL: the server's certificate is refused" in line
    assert "ssl_ca_certs" in line
    assert "\n" not in line


async def test_a_certificate_for_another_host_is_refused(papers: Papers, tls_port: int) -> None:
    """Whoever has any certificate of that authority's could else stand between."""
    line = await refused(papers.url(tls_port, "127.0.0.1"))
    assert "127.0.0.1" in line


async def test_a_client_without_a_certificate_is_turned_away(papers: Papers, tls_port: int) -> None:
    """By the server; nothing is said to Redis."""
    client = connect(papers.url(tls_port, known=False))
    with pytest.raises(RedisConnectionError):
        await client.ping()
    await client.aclose()


async def test_a_connection_that_nobody_waits_for_is_closed_at_once(papers: Papers, tls_port: int) -> None:
    """TLS's farewell asks for an answer, for which an ending loop has no time and a hung server no word."""
    client: Any = connect(papers.url(tls_port), connections=1)
    connection = await client.connection_pool.get_connection()
    held = connection._writer.get_extra_info("socket")
    await connection.disconnect(nowait=True)
    await asyncio.sleep(0)
    assert held.fileno() == -1
    await client.connection_pool.release(connection)
    await client.aclose()
