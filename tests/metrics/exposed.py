"""What a real pod and real workers expose, once a system has been through something."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from events.settings import Settings
from tests.support.pod_process import pod_process
from tests.support.server import free_port
from tests.support.stubborn_graphs import noted
from tests.support.waiting import wait_until
from tests.support.workers import worker_process

FROM_PROMETHEUS = frozenset({"job", "instance"})
"""Labels that Prometheus adds to what it scrapes."""

_FORGET = "for _, name in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', name) end"


@dataclass(frozen=True)
class Exposed:
    """What there is to ask Prometheus for.

    Attributes:
        families: the metrics by their name, as docs tell them, and what kind they are.
        labels: the labels of each series, by its name.
    """

    families: Mapping[str, str]
    labels: Mapping[str, frozenset[str]]


def exposed(redis_port: int, folder: Path) -> Exposed:
    """Run a pod and two workers, the first of which is killed, and look at what is told at the end."""
    prefix = f"exposed-{uuid4().hex[:8]}"
    url = f"redis://127.0.0.1:{redis_port}/0"
    try:
        texts = asyncio.run(_run(Settings(redis_url=url, key_prefix=prefix, lease_seconds=0.6), folder))
    finally:
        with Redis.from_url(url) as client:
            client.eval(_FORGET, 0, f"{prefix}:*")
    return _read(texts)


def _read(texts: list[str]) -> Exposed:
    families, labels = dict[str, str](), dict[str, frozenset[str]]()
    for family in (family for text in texts for family in text_string_to_metric_families(text)):
        total = "_total" if family.type == "counter" else ""
        families[family.name + total] = family.type
        for sample in family.samples:
            labels[sample.name] = labels.get(sample.name, FROM_PROMETHEUS) | sample.labels.keys()
    labels["up"] = FROM_PROMETHEUS
    return Exposed(families, labels)


async def _run(settings: Settings, folder: Path) -> list[str]:
    files = {"until": str(folder / "until"), "record": str(folder / "record")}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, pod_process(settings) as pod:
        async with worker_process(settings, folder) as first:
            taken = await client.post(f"{pod.url}/tasks", json={"graph": "holding", "input": files})
            await wait_until(lambda: len(noted(folder / "record")) == 1)
            first.signal(signal.SIGKILL)
            await first.ended()
        (folder / "until").touch()
        port = free_port()
        async with worker_process(settings, folder, metrics_port=port):
            for graph in ("asking_too_much", "steps"):
                failing = await client.post(f"{pod.url}/tasks", json={"graph": graph, "input": files})
                # Each stream ends with its task.
                assert (await client.get(f"{pod.url}{failing.json()['links']['stream']}")).status_code == 200
            assert (await client.get(f"{pod.url}{taken.json()['links']['stream']}")).status_code == 200
            return [
                (await client.get(f"{base}/metrics")).text for base in (pod.url, f"http://127.0.0.1:{port}")
            ]
