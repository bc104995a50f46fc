"""One trace a task, over a real pod, real workers and a collector."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from events.log import EventLog
from events.model import START, EventType
from events.settings import Settings
from tests.secrets.samples import SAMPLES
from tests.support.collector import Collector, Told, collecting
from tests.support.pod_process import PodProcess, pod_process
from tests.support.stubborn_graphs import noted
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from tests.tracing.graphs import SPECS

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Generator[Collector]:
    """A collector that pods and workers of this test send to."""
    with collecting() as it:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", it.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield it


async def post(pod: PodProcess, path: str, body: Any, **headers: str) -> dict[str, Any]:
    """What a POST is answered."""
    async with httpx.AsyncClient(base_url=pod.url, trust_env=False, timeout=60) as client:
        answer = await client.post(path, json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


async def until(log: EventLog, task_id: str, kind: str, times: int = 1) -> None:
    """Wait until the log has so many events of that type."""

    async def reached() -> bool:
        return [entry.type for entry in await log.read(task_id, START)].count(EventType(kind)) == times

    await wait_until(reached)


async def told_in_log(log: EventLog, task_id: str) -> list[str | None]:
    """The `trace_id` of each entry that has to have one."""
    entries = [entry.event for entry in await log.read(task_id, START)]
    return [
        it["data"].get("trace_id") for it in entries if it["type"] in ("task.submitted", "attempt.started")
    ]


def named(spans: Iterable[Told], *names: str) -> list[Told]:
    """The spans with one of those names, as they began."""
    return sorted((span for span in spans if span.name in names), key=lambda span: span.began)


async def test_a_killed_worker_leaves_one_trace(
    settings: Settings, collector: Collector, log: EventLog, tmp_path: Path
) -> None:
    """The client's own trace goes on through the wait, both attempts and their nodes; each has its parent."""
    short = settings.model_copy(update={"lease_seconds": 0.6})
    given = {"until": str(tmp_path / "until"), "record": str(tmp_path / "record")}
    async with pod_process(short, tmp_path / "pod.log") as pod:
        async with worker_process(short, tmp_path, SPECS) as worker:
            body = {"graph": "steps", "input": given}
            task_id = (await post(pod, "/tasks", body, traceparent=TRACEPARENT))["task_id"]
            await wait_until(lambda: "start hold" in noted(tmp_path / "record"))
            await wait_until(lambda: bool(named(collector.spans, "node first")))
            worker.signal(9)
        async with worker_process(short, tmp_path, SPECS) as worker:
            (tmp_path / "until").touch()
            await until(log, task_id, "task.succeeded")
            worker.signal()
            assert await worker.ended() == 0
            lines = [orjson.loads(line) for line in worker.said.splitlines()]
    spans = collector.of_trace(TRACE)
    assert {span.trace_id for span in collector.spans} == {TRACE}
    [submit] = named(spans.values(), "POST /tasks")
    assert (submit.parent, submit.service) == (CALLER, "taskreel-api")
    assert submit.attributes["http.response.status_code"] == 202
    assert {span.parent for span in spans.values()} <= {CALLER, *spans}
    lost, last = named(spans.values(), "attempt steps")
    assert {lost.parent, last.parent} == {submit.span_id}
    assert (lost.attributes["taskreel.outcome"], lost.error) == ("lost", "its worker was lost")
    assert (last.attributes["taskreel.outcome"], last.error) == ("succeeded", None)
    assert (lost.links, last.links) == ((), (lost.span_id,))
    assert last.attributes["taskreel.task.id"] == task_id
    assert lost.ended <= last.began
    first, inner, hold, after = named(spans.values(), "node first", "node inner", "node hold", "node last")
    assert [span.name for span in (first, inner, hold, after)] == [
        "node first", "node inner", "node hold", "node last",
    ]  # fmt: skip
    assert [span.parent for span in (first, inner, hold, after)] == [
        lost.span_id, last.span_id, inner.span_id, last.span_id,
    ]  # fmt: skip
    assert len(named(spans.values(), "wait")) == 2
    assert named(spans.values(), "checkpoint")
    assert await told_in_log(log, task_id) == [TRACE] * 3
    about = [line for line in lines if line.get("task") == task_id]
    assert about
    assert {line.get("trace_id") for line in about} == {TRACE}


async def test_an_answer_goes_on_with_the_trace(
    settings: Settings, collector: Collector, log: EventLog, tmp_path: Path
) -> None:
    """Nobody is lost where an attempt ended with a question; the next one is linked to it."""
    async with (
        pod_process(settings, tmp_path / "pod.log") as pod,
        worker_process(settings, tmp_path, SPECS) as worker,
    ):
        task_id = (await post(pod, "/tasks", {"graph": "asking", "input": {}}))["task_id"]
        for times in (1, 2):
            await until(log, task_id, "task.interrupted", times)
            await post(pod, f"/tasks/{task_id}/resume", {"value": 1})
        await until(log, task_id, "task.succeeded")
        worker.signal()
        assert await worker.ended() == 0
    [trace_id] = set(await told_in_log(log, task_id))
    spans = collector.of_trace(str(trace_id))
    attempts = named(spans.values(), "attempt asking")
    assert [it.attributes["taskreel.outcome"] for it in attempts] == [
        "interrupted",
        "interrupted",
        "succeeded",
    ]
    assert [it.links for it in attempts] == [(), (attempts[0].span_id,), (attempts[1].span_id,)]
    assert not [it.error for it in spans.values() if it.error]


async def test_what_users_say_is_in_no_span(
    settings: Settings, collector: Collector, log: EventLog, tmp_path: Path
) -> None:
    """Not in a failure's either; of what a client sends as a trace, only a well-formed one is taken."""
    hostile = f"{TRACEPARENT}-{SAMPLES['anthropic']}"
    body = {"graph": "telling", "input": {"keys": {"one": SAMPLES["anthropic"]}, "fail": True}}
    async with (
        pod_process(settings, tmp_path / "pod.log") as pod,
        worker_process(settings, tmp_path, SPECS) as worker,
    ):
        headers = {"traceparent": hostile, "tracestate": f"x={SAMPLES['anthropic']}", "baggage": "a=b"}
        task_id = (await post(pod, "/tasks", {**body, "metadata": {"a": 1}}, **headers))["task_id"]
        await until(log, task_id, "task.interrupted")
        await post(pod, f"/tasks/{task_id}/resume", {"value": SAMPLES["anthropic"]})
        await until(log, task_id, "task.failed")
        worker.signal()
        await worker.ended()
    [trace_id] = set(await told_in_log(log, task_id))
    assert trace_id not in (None, TRACE)
    attempts = named(collector.of_trace(str(trace_id)).values(), "attempt telling")
    assert [it.error for it in attempts] == [None, "graph_error"]
    assert attempts[-1].events == ("task.failed",)
    assert all(SAMPLES["anthropic"][-16:].encode() not in raw for raw in collector.raw)


@pytest.mark.parametrize("trouble", ["away", "refusing", "silent"])
async def test_a_collector_in_trouble_costs_a_line(
    settings: Settings, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Tasks run and processes end; the log has one line of it at most."""
    errors = tmp_path / "pod.log"
    with collecting(slow=trouble == "silent") as collector:
        collector.status = 400 if trouble == "refusing" else 200
        url = "http://127.0.0.1:1" if trouble == "away" else collector.url
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        async with (
            pod_process(settings, errors) as pod,
            worker_process(settings, tmp_path, SPECS) as worker,
        ):
            for _ in range(5):
                task_id = (await post(pod, "/tasks", {"graph": "asking", "input": {}}))["task_id"]
                await until(log, task_id, "task.interrupted")
            if trouble != "away":
                await wait_until(lambda: collector.requests > (trouble == "refusing"))
            worker.signal()
            assert await worker.ended() == 0
        told = [said.count('"logger":"opentelemetry') for said in (worker.said, errors.read_text())]
        assert max(told) <= 1
        assert trouble != "refusing" or told[0] == 1
