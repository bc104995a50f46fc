"""The OpenAPI document against a real pod and worker: schemathesis tries what it allows and what not.

Streams apart, which end only with their task; `test_requests` and `test_frames` are for those.
"""

from __future__ import annotations

import asyncio
import copy
import os
import re
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from redis.asyncio import Redis

from events.apikeys import KeyDirectory, Role
from events.keys import Keys
from events.settings import Settings
from tests.support.credentials import made
from tests.support.graphs import SPECS
from tests.support.pod_process import pod_process
from tests.support.pods import RunningPod, running_worker
from tests.support.waiting import wait_until

GRAPHS = ("asking", "failing", "bad_output", "opaque")
"""Graphs that take any number, end soon, and leave tasks of several states behind."""

CASES = int(os.environ.get("TASKREEL_FUZZ_CASES", "100"))
"""Of each operation and phase; 100 come to over 2,000 in all, and to some 30 s."""

# What fits its schema can still be wrong: a cursor made up, an answer to a question that isn't there, a
# key that came with another body before, an integer with more digits than are kept.
CONFIG = """
[[operations]]
include-name = "GET /tasks"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]

[[operations]]
include-name = ["POST /tasks", "POST /tasks/{task_id}/resume"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422"]
"""


async def test_the_document_is_one_of_openapi(pod: RunningPod) -> None:
    """By OpenAPI's own schema; and each JSON Schema in it by that of JSON Schema."""
    document = (await pod.client.get("/openapi.json")).json()
    schemathesis.openapi.from_dict(document).validate()
    for schema in _schemas(document):
        Draft202012Validator.check_schema(schema)


async def test_every_route_has_its_problems_in_the_document(pod: RunningPod) -> None:
    """All as problem+json with a request id; nothing of the framework's own is left."""
    document = (await pod.client.get("/openapi.json")).json()
    assert "HTTPValidationError" not in orjson.dumps(document).decode()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                assert "X-Request-ID" in answer["headers"], (method, path, status)
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


@pytest.fixture
async def worker(settings: Settings) -> AsyncGenerator[None]:
    """A worker, in the test's own loop; retries and quotas as they are."""
    specs = [spec for spec in SPECS if spec.partition("=")[0] in GRAPHS]
    async with running_worker(settings, specs):
        yield


@pytest.fixture
async def authorization(redis: Redis, keys: Keys) -> AsyncGenerator[str]:
    """A header's value that lets in whoever bears it."""
    key, _ = await made(KeyDirectory(redis, keys), "default", role=Role.OPS)
    yield f"Bearer {key}"
    await redis.delete(keys.api_keys)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("worker")
async def test_a_pod_does_what_its_document_says(
    settings: Settings, authorization: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No 5xx, no status, header, type or schema that isn't told; a failure comes with its curl line."""
    for name, value in (
        ("AUTH", "keys"),
        ("METRICS_TOKEN", "of-the-scraper-alone"),
        ("SUBMITS_PER_MINUTE", "0"),
        ("MAX_UNFINISHED", "0"),
    ):
        monkeypatch.setenv(f"TASKREEL_{name}", value)
    async with pod_process(settings) as pod:
        (tmp_path / "openapi.json").write_bytes(orjson.dumps(await _document(pod.url, authorization)))
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        status, told = await _run(pod.url, tmp_path, authorization)
    assert status == 0, told
    counted = re.search(r"(\d+) generated, (\d+) passed", told)
    assert counted is not None, told
    assert int(counted[1]) > 10 * CASES, told


async def _run(url: str, folder: Path, authorization: str) -> tuple[int, str]:
    """Run schemathesis in a folder; gives its exit status and what it told."""
    script = str(Path(sys.executable).with_name("schemathesis"))
    words = ["--config-file", "schemathesis.toml", "run", "openapi.json", "--url", url, "--checks", "all"]
    more = ["--max-examples", str(CASES), "--exclude-path-regex", "/stream$", "--no-color", "--workers", "1"]
    more += ["--header", f"Authorization: {authorization}"]
    more += ["--seed", "1"] if "TASKREEL_DRAWS" not in os.environ else []
    more += ["--output-sanitize", "false"]  # so that a curl line is whole
    process = await asyncio.create_subprocess_exec(
        script, *words, *more, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, told.decode()


async def _document(url: str, authorization: str) -> dict[str, Any]:
    """The pod's document, narrowed to what's there: its graphs, their inputs, some tasks.

    Names and ids that are made up are tried as well, but all end in a 404.
    """
    headers = {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
        document = (await client.get("/openapi.json")).json()
        graphs = {graph["name"]: graph for graph in (await client.get("/graphs")).json()["graphs"]}
        tasks = [await _ended(client, name) for name in GRAPHS]
    body = document["paths"]["/tasks"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"anyOf": [_request(body["schema"], graphs[name]) for name in GRAPHS]}
    known = {"task_id": tasks, "name": list(graphs)}
    for parameter in _parameters(document):
        if parameter["name"] in known:
            parameter["schema"] = {"anyOf": [{"enum": known[parameter["name"]]}, parameter["schema"]]}
    return document


async def _ended(client: httpx.AsyncClient, graph: str) -> str:
    """The id of a task of that graph, which has ended or waits."""
    submitted = await client.post("/tasks", json={"graph": graph, "input": {"count": 1}})
    task_id = submitted.json()["task_id"]

    async def at_rest() -> bool:
        status = (await client.get(f"/tasks/{task_id}")).json()["status"]
        return status not in ("queued", "running")

    await wait_until(at_rest)
    return task_id


def _request(schema: dict[str, Any], graph: dict[str, Any]) -> dict[str, Any]:
    """The schema of a submit of that graph."""
    narrowed = copy.deepcopy(schema)
    narrowed["properties"]["graph"] = {"const": graph["name"]}
    narrowed["properties"]["input"] = graph["input_schema"]
    return narrowed


def _schemas(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every JSON Schema that the document names or holds."""
    answers = [it for operation in _operations(document) for it in operation["responses"].values()]
    holders = [
        *_parameters(document),
        *(holder for answer in answers for holder in answer["headers"].values()),
        *(holder for answer in answers for holder in answer.get("content", {}).values()),
    ]
    return [*document["components"]["schemas"].values(), *(holder["schema"] for holder in holders)]


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def _parameters(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [parameter for operation in _operations(document) for parameter in operation["parameters"]]
