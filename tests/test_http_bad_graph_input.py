"""A graph's input that fails its schema: what is wrong is told by path and rule, and nothing is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from events.graphs import GraphDescriptor, GraphDirectory
from events.keys import Keys
from tests.support.http import ECHO, code, submit
from tests.support.pods import RunningPod


@pytest.fixture(autouse=True)
async def graphs(redis: Redis, keys: Keys) -> None:
    """One graph that some worker has announced, and no worker."""
    await GraphDirectory(redis, keys).announce([ECHO])


async def test_an_input_that_fails_its_schema_is_told_by_path(pod: RunningPod) -> None:
    """Every path that fails, and the rule; never a value or a name of the client's."""
    wrong = {"count": -1, "text": ["CANARY"], "kind": "CANARY", "rows": [{"name": 1}, {"CANARY": 2}]}
    answer = await submit(pod, input=wrong)
    assert code(answer) == (422, "invalid_input")
    found = {item["path"]: item["rule"] for item in answer.json()["errors"]}
    assert found == {"/count": "minimum", "/text": "type", "/kind": "enum", "/rows/1": "required"}
    assert "CANARY" not in answer.text
    values: list[object] = [None, [], "CANARY", 3]
    for whole in values:
        answer = await submit(pod, input=whole)
        assert code(answer) == (422, "invalid_input"), whole
        assert "CANARY" not in answer.text


HOSTILE_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "additional": {"additionalProperties": False},
    "typed": {"additionalProperties": {"type": "integer"}},
    "patterns": {"patternProperties": {"CAN": {"type": "integer"}}},
    "names": {"propertyNames": {"maxLength": 3}},
    "deep": {"additionalProperties": {"additionalProperties": {"type": "integer"}}},
    "any": {"anyOf": [{"type": "array"}, {"required": ["other"]}]},
    "never": {"not": {"type": "object"}},
    "unevaluated": {"unevaluatedProperties": False},
    "dependent": {"dependentRequired": {"CANARY_NAME": ["other"]}},
}


async def test_no_rule_of_a_schema_repeats_the_input(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """Whatever rule an input breaks, its names and values stay out of the answer."""
    announced = [GraphDescriptor(name, "", schema, "", "default") for name, schema in HOSTILE_SCHEMAS.items()]
    await GraphDirectory(redis, keys).announce(announced)
    for graph in announced:
        wrong = {"CANARY_NAME": {"CANARY_INNER": "CANARY_VALUE"}}
        answer = await submit(pod, graph=graph.name, input=wrong)
        assert code(answer) == (422, "invalid_input"), graph.name
        assert "CANARY" not in answer.text, graph.name


async def test_a_graphs_own_faults_are_not_the_clients(pod: RunningPod, redis: Redis, keys: Keys) -> None:
    """A schema that is broken, refers to the web, or calls itself says nothing false about an input."""
    tree = {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}
    schemas: dict[str, dict[str, Any]] = {
        "broken": {"type": "no such type"},
        "web": {"$ref": "https://schemas.invalid/input.json"},
        "lost": {"properties": {"tree": {"$ref": "#/$defs/lost"}}},
        "tree": {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "additionalProperties": tree}}},
    }
    announced = [GraphDescriptor(name, "", schema, "", "default") for name, schema in schemas.items()]
    await GraphDirectory(redis, keys).announce(announced)
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"tree": deep}
    answers = {graph.name: await submit(pod, graph=graph.name, input=deep) for graph in announced}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(schemas, 202)
