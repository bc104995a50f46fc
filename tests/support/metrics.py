"""What a process's metrics say, read as Prometheus reads them."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.pods import RunningPod
from tests.support.waiting import wait_until

Sample = tuple[str, frozenset[tuple[str, str]]]
"""A series: its name and its labels."""

Samples = dict[Sample, float]


def samples(text: str) -> Samples:
    """The samples of an exposition."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def scraped(url: str, **headers: str) -> Samples:
    """What is told at a URL."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"{url}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return samples(answer.text)


class Ledger:
    """What the metrics of a pod, and of all else in the test's process, have grown by since it was opened.

    Args:
        pod: who is asked.
        before: what it told then.
    """

    def __init__(self, pod: RunningPod, before: Samples) -> None:
        self._pod = pod
        self._before = before

    async def grown(self, name: str, **labels: str) -> float:
        """By how much one series has grown."""
        series = (name, frozenset(labels.items()))
        return (await scraped(self._pod.url)).get(series, 0) - self._before.get(series, 0)

    async def grown_all(self, name: str) -> dict[tuple[str, ...], float]:
        """By how much each series of a name has, if it has, by the values of its labels in their order."""
        now = await scraped(self._pod.url)
        changes = {series: value - self._before.get(series, 0) for series, value in now.items()}
        return {
            tuple(value for _, value in sorted(labels)): change
            for (known, labels), change in changes.items()
            if known == name and change
        }

    async def until(self, name: str, least: float = 1, **labels: str) -> None:
        """Wait until a series has grown by so much."""

        async def has() -> bool:
            return await self.grown(name, **labels) >= least

        await wait_until(has)


async def ledger(pod: RunningPod) -> Ledger:
    """A ledger that is opened now."""
    return Ledger(pod, await scraped(pod.url))
