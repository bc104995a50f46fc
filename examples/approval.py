"""Decide a refund: plain rules for small amounts, and a person's answer for the others."""

from typing import Annotated, Any, Literal, TypedDict, get_args

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

LIMIT = 50.0
"""Euros up to which nobody is asked."""

LARGE = 1000.0
"""Euros above which the rules never recommend to approve."""

GROUNDS = ("broken", "damaged", "defective", "late", "missing", "never arrived", "wrong")
"""What a reason has to name for the rules to recommend a refund."""

Decision = Literal["approve", "reject"]


def _plain(given: object) -> object:
    return given.strip().lower() if isinstance(given, str) else given


class Input(BaseModel):
    """A customer's wish to have money back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": "Ada Lovelace",
                    "amount": 120,
                    "reason": "The teapot arrived with a broken spout.",
                }
            ]
        }
    )

    customer: str = Field(min_length=1, max_length=200, description="Who asks for the refund.")
    amount: float = Field(gt=0, le=1_000_000, description="How much, in euros; up to 50 nobody is asked.")
    reason: str = Field(default="", max_length=2000, description="Why, in the customer's own words.")


class Output(BaseModel):
    """What was decided, who decided it, and what the customer is told."""

    decision: Decision
    decided_by: Literal["rule", "person"]
    note: str = Field(description="What the person who decided added, or empty.")
    letter: str = Field(description="The letter to the customer.")


class Answer(BaseModel):
    """A person's answer, as a dict of these or the decision alone; its case and outer space don't count."""

    decision: Annotated[Decision, BeforeValidator(_plain)] = Field(description="Whether to pay.")
    note: str = Field(default="", max_length=2000, description="What the letter adds, or nothing.")


class State(TypedDict):
    """All that the nodes share; `problem` says what was wrong with the last answer, or is empty."""

    customer: str
    amount: float
    reason: str
    recommendation: Decision
    because: str
    problem: str
    decision: Decision
    decided_by: Literal["rule", "person"]
    note: str
    letter: str


def assess(state: Input) -> Command[Literal["ask", "conclude"]]:
    """Recommend a decision by the rules, and take it at once when the amount is small."""
    report = get_stream_writer()
    report({"message": f"Checking the amount, {state.amount:.2f} euros", "current": 1, "total": 2})
    if state.amount <= LIMIT:
        return Command(update={"decision": "approve", "decided_by": "rule", "note": ""}, goto="conclude")
    report({"message": "Checking the reason", "current": 2, "total": 2})
    recommendation, because = _rule(state)
    return Command(update={"recommendation": recommendation, "because": because, "problem": ""}, goto="ask")


def ask(state: State) -> Command[Literal["ask", "conclude"]]:
    """Wait for a person's answer; one that can't be read leads to the same question with a `problem`."""
    answer = interrupt(_question(state))
    try:
        read = Answer.model_validate({"decision": answer} if isinstance(answer, str) else answer)
    except ValidationError as refused:
        return Command(update={"problem": _told(refused)}, goto="ask")
    return Command(update={**read.model_dump(), "decided_by": "person", "problem": ""}, goto="conclude")


def conclude(state: State) -> dict[str, str]:
    """Write the letter that tells the customer."""
    get_stream_writer()({"message": f"Decided by {state['decided_by']}: {state['decision']}"})
    return {"letter": _letter(state, state["decision"], state["note"])}


def _rule(wish: Input) -> tuple[Decision, str]:
    if wish.amount > LARGE:
        return "reject", f"more than {LARGE:.0f} euros needs a closer look"
    named = [ground for ground in GROUNDS if ground in wish.reason.casefold()]
    if named:
        return "approve", f"the reason says {named[0]!r}"
    return "reject", "the reason names no ground for a refund"


def _question(state: State) -> dict[str, Any]:
    problem = {"problem": state["problem"]} if state["problem"] else {}
    return {
        "question": f"Refund {state['amount']:.2f} euros to {state['customer']}?",
        **problem,
        "recommendation": state["recommendation"],
        "because": state["because"],
        "draft": _letter(state, state["recommendation"], ""),
        "options": list(get_args(Decision)),
        "schema": Answer.model_json_schema(),
    }


def _told(refused: ValidationError) -> str:
    first = refused.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'answer'}: {first['msg']}"


def _letter(state: State, decision: Decision, note: str) -> str:
    verdict = "We refund you" if decision == "approve" else "We are sorry that we can't refund you"
    letter = f"Dear {state['customer']},\n\n{verdict} {state['amount']:.2f} euros."
    return f"{letter}\n\n{note}" if note else letter


builder = StateGraph(State, input_schema=Input, output_schema=Output)
builder.add_node(assess)
builder.add_node(ask)
builder.add_node(conclude)
builder.add_edge(START, "assess")
graph = builder.compile(name="approval")
