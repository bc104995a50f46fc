"""What holds for all examples: they are described, can be tried as they are, and know nothing of a log."""

import subprocess
import sys
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from events.codec import document
from events.model import EventId, EventType
from examples import analysts, approval, digest, thinker
from tests.support.examples import kept, parts_of, runs_of, thread
from worker.translate import Translator

EXAMPLES = [analysts, approval, digest, thinker]
NAMES = [module.__name__.removeprefix("examples.") for module in EXAMPLES]


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own TASKREEL_MODEL out of the tests."""
    monkeypatch.delenv("TASKREEL_MODEL", raising=False)


def schema_of(module: ModuleType) -> dict[str, Any]:
    return module.graph.get_input_jsonschema()


def at_once(module: ModuleType, given: dict[str, Any]) -> dict[str, Any]:
    return given | {"pace": 0} if "pace" in schema_of(module)["properties"] else given


@pytest.mark.parametrize("module", EXAMPLES, ids=NAMES)
def test_named_and_described(module: ModuleType) -> None:
    """A graph has a name, and its module's docstring starts with a one-line description."""
    assert module.graph.get_name() == module.__name__.removeprefix("examples.")
    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert all(field["description"] for field in schema_of(module)["properties"].values())


@pytest.mark.parametrize("module", EXAMPLES, ids=NAMES)
async def test_shipped_input_runs(module: ModuleType) -> None:
    """The schema's example fits the schema, and leads to the end or to a question."""
    [given] = schema_of(module)["examples"]
    jsonschema.validate(given, schema_of(module))
    graph, config = kept(module.graph), thread()
    result = await graph.ainvoke(at_once(module, given), config)
    waits = bool((await graph.aget_state(config)).interrupts)
    assert waits == (module is approval)
    if not waits:
        jsonschema.validate(result, module.graph.get_output_jsonschema())


@pytest.mark.parametrize("module", EXAMPLES, ids=NAMES)
async def test_every_event_can_be_logged(module: ModuleType) -> None:
    """What the nodes return, report and write is JSON, and bears the name of its node."""
    [given] = schema_of(module)["examples"]
    translator = Translator()
    parts = await parts_of(kept(module.graph), at_once(module, given), thread())
    events = [event for part in parts for event in translator.translate(part)]
    assert all(document(event, EventId(1, number), 0) for number, event in enumerate(events, 1))
    told = [event.node for event in events if event.type == EventType.NODE_STARTED]
    assert told == runs_of(parts)


def test_examples_import_nothing_of_ours() -> None:
    """A fresh interpreter that imports all examples has loaded no other package of this project."""
    named = ", ".join(module.__name__ for module in EXAMPLES)
    script = f"import sys, {named}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert {"examples", "igraph", "langgraph"} <= set(loaded.split())
    assert not {"api", "worker", "events", "cli"} & set(loaded.split())
