"""Small graphs for the tests, each with one habit."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, cast

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class State(BaseModel):
    """What the test graphs work on."""

    count: int = Field(default=3, ge=0, le=100_000)
    pause: float = 0.0
    items: Annotated[list[Any], operator.add] = Field(default_factory=list[Any])


async def count(state: State) -> dict[str, Any]:
    """Report progress `count` times, `pause` seconds apart."""
    write = get_stream_writer()
    for number in range(1, state.count + 1):
        write({"message": f"step {number}", "current": number, "total": state.count})
        await asyncio.sleep(state.pause)
    return {"items": [state.count]}


async def fail(state: State) -> dict[str, Any]:
    """Raise what a graph's author might."""
    raise ValueError(f"cannot count to {state.count}")


async def ask(state: State) -> dict[str, Any]:
    """Ask a person."""
    return {"items": [interrupt({"question": f"Is {state.count} enough?"})]}


async def spill(state: State) -> dict[str, Any]:
    """Write what no log can hold, then go on."""
    write = get_stream_writer()
    write({"message": "x" * 300_000})
    write({"message": float("nan")})
    write({"message": "\ud800"})
    write("just a word")
    return {"items": [1]}


async def unstorable(state: State) -> dict[str, Any]:
    """Return what JSON can't hold."""
    return {"items": [float("inf")]}


def fan(state: State) -> list[Send]:
    """One branch for each number."""
    return [Send("branch", number) for number in range(state.count)]


async def branch(number: int) -> dict[str, Any]:
    """Report from a parallel branch."""
    get_stream_writer()({"message": f"branch {number}"})
    return {"items": [number]}


def _of(node: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("work", node)
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile()


counting, failing, asking, spilling, bad_output = map(_of, (count, fail, ask, spill, unstorable))


def fanning() -> StateGraph[State]:
    """A factory of an uncompiled graph, as authors may register it too."""
    builder = StateGraph(State)
    builder.add_node("branch", cast("Any", branch))
    builder.add_conditional_edges(START, fan, ["branch"])
    return builder


async def first(state: State) -> dict[str, Any]:
    """Finish at once."""
    return {"items": [f"first of {state.count}"]}


def two_steps() -> StateGraph[State]:
    """A quick node, then one that counts."""
    builder = StateGraph(State)
    builder.add_node("first", cast("Any", first))
    builder.add_node("second", cast("Any", count))
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    return builder


class Opaque:
    """A type that no JSON Schema can tell."""


class OpaqueState(TypedDict, total=False):
    """A state that holds such a thing."""

    count: int
    thing: Opaque


async def echo(state: OpaqueState) -> dict[str, Any]:
    """Give the count back."""
    return {"count": state.get("count", 0) + 1}


def opaque() -> StateGraph[OpaqueState]:
    """A graph without a schema."""
    builder = StateGraph(OpaqueState)
    builder.add_node("echo", cast("Any", echo))
    builder.add_edge(START, "echo")
    return builder


SPECS = [
    f"{name}=tests.support.graphs:{name}"
    for name in ("counting", "failing", "asking", "spilling", "bad_output", "fanning", "two_steps", "opaque")
]
