"""Requests that many tests make, and the graph they make them for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from events.graphs import GraphDescriptor
from tests.support.pods import RunningPod

ECHO = GraphDescriptor(
    name="echo",
    description="Gives back what it gets.",
    input_schema={
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 0},
            "text": {"type": "string"},
            "kind": {"enum": ["short", "long"]},
            "rows": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            "tree": {"type": ["object", "array"]},
        },
    },
    mermaid="graph TD;",
    pool="default",
)
"""A graph that some worker could have announced."""


async def submit(
    pod: RunningPod,
    key: str | None = None,
    raw: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    **body: Any,
) -> httpx.Response:
    """POST a task of the graph `echo`, unless the body says otherwise; `raw` is sent as it is."""
    sent = {"Content-Type": "application/json", **(headers or {})}
    if key is not None:
        sent["Idempotency-Key"] = key
    content = orjson.dumps({"graph": "echo", **body}) if raw is None else raw
    return await pod.client.post("/tasks", content=content, headers=sent)


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem, which must be a whole problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert {"type", "title", "status", "code", "detail", "request_id"} <= document.keys()
    return answer.status_code, document["code"]
