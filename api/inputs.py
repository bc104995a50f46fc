"""Checking a task's input against its graph's JSON Schema."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from api.problems import Problem
from events.graphs import GraphDescriptor

MAX_REPORTED = 20


def check_input(graph: GraphDescriptor, value: Any) -> None:
    """Raises Problem, 422 `invalid_input`, with each path that fails and the rule that it fails."""
    try:
        Draft202012Validator.check_schema(graph.input_schema)
    except SchemaError:
        return  # a graph whose schema is broken says nothing about its input; it finds out by itself
    # An empty registry: a schema that refers to the web must not make the pod fetch anything.
    validator = Draft202012Validator(graph.input_schema, registry=Registry())
    failures: Iterable[ValidationError] = validator.iter_errors(value)
    try:
        found = [_describe(failure) for failure in itertools.islice(failures, MAX_REPORTED)]
    except (Unresolvable, RecursionError):
        return  # the schema refers to what isn't there, or to itself for ever
    if found:
        distinct = [item for place, item in enumerate(found) if item not in found[:place]]
        paths = ", ".join(sorted({path for item in distinct for path in _paths(item)}))
        detail = f"It fails the schema of GET /graphs/{graph.name} at {paths}."
        raise Problem(422, "invalid_input", "The input does not fit the graph", detail, {"errors": distinct})


def _paths(item: dict[str, Any]) -> list[str]:
    """What to name: of an object that lacks something, what it lacks."""
    if item["rule"] == "required":
        return [f"{item['path']}/{name}" for name in item["expected"]]
    return [item["path"] or "(the whole)"]


def _describe(failure: ValidationError) -> dict[str, Any]:
    """Where it fails and what the schema wants; the library's own message would repeat the input."""
    path = "".join(f"/{part}" for part in failure.absolute_path if _is_known(part, failure))
    rule, expected = str(failure.validator), cast("Any", failure.validator_value)
    if rule == "required":
        present = cast("dict[str, Any]", failure.instance)
        expected = [name for name in expected if name not in present]
    plain = isinstance(expected, (str, int, float, list))
    return {"path": path, "rule": rule, "expected": expected if plain else None}


def _is_known(part: str | int, failure: ValidationError) -> bool:
    """An array's index, or a name that the schema has; a name the client made up isn't repeated."""
    return isinstance(part, int) or part in failure.absolute_schema_path
