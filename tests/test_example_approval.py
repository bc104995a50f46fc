"""The refund that waits for a person, run as LangGraph runs it."""

from typing import Any

import jsonschema
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from examples import approval
from tests.support.examples import Graph, kept, of_type, parts_of, thread


async def asked(graph: Graph, config: RunnableConfig) -> dict[str, Any]:
    [question] = (await graph.aget_state(config)).interrupts
    return question.value


WISH = {"customer": "Ada", "amount": 120, "reason": "It came damaged."}


async def test_approval_asks() -> None:
    """A larger amount stops at a question with the draft, the recommendation, and what an answer may be."""
    graph, config = kept(approval.graph), thread()
    parts = await parts_of(graph, WISH, config)
    question = await asked(graph, config)
    assert [event["current"] for event in of_type(parts, "custom")] == [1, 2]
    assert question["question"] == "Refund 120.00 euros to Ada?"
    assert question["draft"].startswith("Dear Ada,")
    assert (question["recommendation"], question["options"]) == ("approve", ["approve", "reject"])
    jsonschema.validate({"decision": "reject", "note": "Too late."}, question["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"decision": "maybe"}, question["schema"])
    assert "problem" not in question


@pytest.mark.parametrize(
    ("answer", "decision", "note"),
    [
        ("reject", "reject", ""),
        (" Approve\n", "approve", ""),
        ({"decision": "approve", "note": "Sorry!"}, "approve", "Sorry!"),
    ],
    ids=["string", "loose-string", "dict"],
)
async def test_approval_resumes(answer: Any, decision: str, note: str) -> None:
    """A person's answer, plain or with a note, finishes the run."""
    graph, config = kept(approval.graph), thread()
    await graph.ainvoke(WISH, config)
    result = await graph.ainvoke(Command(resume=answer), config)
    assert (result["decision"], result["decided_by"], result["note"]) == (decision, "person", note)
    assert result["letter"].endswith(note)


@pytest.mark.parametrize(
    "answer", ["maybe", 5, [], {"note": "hm"}, {"decision": "approve", "note": 5}], ids=str
)
async def test_bad_answer_asks_again(answer: Any) -> None:
    """An answer that can't be read leads to a new question that says why, which can then be answered."""
    graph, config = kept(approval.graph), thread()
    await graph.ainvoke(WISH, config)
    first = (await graph.aget_state(config)).interrupts[0].id
    await graph.ainvoke(Command(resume=answer), config)
    assert (await asked(graph, config))["problem"]
    assert (await graph.aget_state(config)).interrupts[0].id != first
    assert (await graph.ainvoke(Command(resume="approve"), config))["decision"] == "approve"


@pytest.mark.parametrize("amount", [0.01, 50])
async def test_small_amount_passes(amount: float) -> None:
    """Nobody is asked about an amount up to the limit."""
    graph: Graph = approval.graph
    result = await graph.ainvoke({"customer": "Ada", "amount": amount})
    assert (result["decision"], result["decided_by"]) == ("approve", "rule")


@pytest.mark.parametrize(
    ("amount", "reason", "recommended"),
    [
        (50.01, "It is BROKEN", "approve"),
        (60, "", "reject"),
        (1000, "late", "approve"),
        (1001, "late", "reject"),
    ],
)
async def test_recommendation(amount: float, reason: str, recommended: str) -> None:
    """The rules recommend a refund where the reason names a ground and the amount is not large."""
    graph, config = kept(approval.graph), thread()
    await graph.ainvoke({"customer": "Ada", "amount": amount, "reason": reason}, config)
    assert (await asked(graph, config))["recommendation"] == recommended


@pytest.mark.parametrize(
    "given",
    [{}, {"customer": "Ada"}, {"customer": "", "amount": 5}, {**WISH, "amount": "5"}, {**WISH, "amount": 0}],
    ids=str,
)
def test_approval_schema_refuses(given: Any) -> None:
    """The input schema refuses a wish with no customer or with no amount above zero."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, approval.graph.get_input_jsonschema())
