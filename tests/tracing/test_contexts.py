"""When it's traced, and what of a client's own trace is believed."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span

from cli.tracing import Seldom, wanted
from events import tracing
from events.errors import SettingsError
from events.log import EventLog
from events.model import START
from events.settings import Settings
from tests.support.graphs import SPECS
from tests.support.http import submit
from tests.support.pods import RunningPod, running_worker
from tests.support.tasks import until_status

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_when_it_is_traced(environment: dict[str, str], expected: bool) -> None:
    """By the variables that OpenTelemetry's specification has for it."""
    assert wanted(environment) is expected


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER='zipkin'"),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "isn't an http:// or https:// URL"),
    ],
)
def test_what_is_not_here_is_told(environment: dict[str, str], named: str) -> None:
    """In one line, in place of spans that go nowhere."""
    with pytest.raises(SettingsError) as caught:
        wanted(environment)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE}-{CALLER}-01-more",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{TRACE}{TRACE}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-0g",
        f"00-{TRACE}-{CALLER}-01\n\nx",
        f"\u0660\u0660-{TRACE}-{CALLER}-01",
    ],
)
def test_what_is_no_traceparent_is_nothing(text: str) -> None:
    """Whatever is malformed begins no trace and joins none."""
    assert tracing.context_of(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever a client sends."""
    tracing.context_of(text)


def test_a_traceparent_is_believed() -> None:
    """Of this version, and of later ones as far as this one goes (W3C Trace Context, 4.3)."""
    for text in (f"00-{TRACE}-{CALLER}-01", f"cc-{TRACE}-{CALLER}-01-what-comes"):
        context = tracing.context_of(text)
        found = get_current_span(context).get_span_context()
        assert (f"{found.trace_id:032x}", f"{found.span_id:016x}") == (TRACE, CALLER)


async def test_while_it_is_off_nothing_is_kept(pod: RunningPod, settings: Settings, log: EventLog) -> None:
    """A client's own trace leaves nothing in the record, nor in the log."""
    async with running_worker(settings, SPECS):
        answer = await submit(pod, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"}, graph="counting")
        task_id = answer.json()["task_id"]
        await until_status(pod, task_id, "succeeded")
    entries = await log.read(task_id, START)
    assert TRACE.encode() not in b"".join(entry.document for entry in entries)
    assert b"trace_id" not in entries[0].document + entries[1].document
    record: dict[bytes, bytes] = await cast("Any", log.redis).hgetall(log.keys.task(task_id))
    assert not [name for name in record if b"trace" in name or b"span" in name]


def test_while_it_is_off_a_pod_does_without_the_sdk() -> None:
    """Neither it nor the exporter is imported."""
    code = "import sys, cli.main, cli.tracing, api.edge.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "opentelemetry.trace" in modules
    assert not [it for it in modules if it.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]


def test_a_collector_in_trouble_is_told_of_seldom() -> None:
    """One error, and nothing of what is tried again."""
    seldom = Seldom()
    levels = [logging.WARNING, logging.ERROR, logging.ERROR, logging.CRITICAL]
    records = [logging.LogRecord("x", level, "", 0, "lost", None, None) for level in levels]
    assert [seldom.filter(record) for record in records] == [False, True, False, False]
