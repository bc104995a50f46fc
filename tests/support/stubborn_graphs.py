"""Graphs whose nodes are hard to stop, and graphs that write down what runs.

They run in processes of their own, so they talk to their test by files: a node goes on until the file that
its input names is there, and writes a line to another one for each start and end.
"""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

Node = Callable[["State"], "dict[str, Any] | Awaitable[dict[str, Any]]"]


class State(TypedDict, total=False):
    """What these graphs work on."""

    until: str
    record: str
    pause: float
    items: Annotated[list[Any], operator.add]


def note(state: State, line: str) -> None:
    """Write down what happens."""
    with Path(state.get("record", "record")).open("a") as file:
        file.write(f"{line}\n")


def is_released(state: State) -> bool:
    """Whether the node may go on."""
    return Path(state.get("until", "until")).exists()


def noted(record: Path) -> list[str]:
    """What has happened so far."""
    return record.read_text().splitlines() if record.exists() else []


async def block(state: State) -> dict[str, Any]:
    """Let nothing else run in the event loop."""
    note(state, "start block")
    while not is_released(state):
        time.sleep(0.02)  # noqa: ASYNC251 - that is the habit
    note(state, "woke")
    get_stream_writer()({"message": "from the dead"})
    await asyncio.sleep(0)
    return {"items": ["block"]}


async def ignore(state: State) -> dict[str, Any]:
    """Go on when cancelled."""
    note(state, "start ignore")
    while not is_released(state):
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            note(state, "cancelled")
    note(state, "woke")
    get_stream_writer()({"message": "from the dead"})
    return {"items": ["ignore"]}


def sit(state: State) -> dict[str, Any]:
    """Keep a thread."""
    note(state, "start sit")
    while not is_released(state):
        time.sleep(0.02)
    note(state, "woke")
    return {"items": ["sit"]}


async def hold(state: State) -> dict[str, Any]:
    """Take as long as the test likes, and heed a cancellation."""
    note(state, "start hold")
    while not is_released(state):  # noqa: ASYNC110 - no other process can set an event
        await asyncio.sleep(0.02)
    note(state, "end hold")
    return {"items": ["hold"]}


def step(name: str) -> Node:
    """A node that takes `pause` seconds."""

    async def run(state: State) -> dict[str, Any]:
        note(state, f"start {name}")
        await asyncio.sleep(state.get("pause", 0))
        note(state, f"end {name}")
        return {"items": [name]}

    return run


async def ask_twice(state: State) -> dict[str, Any]:
    """Ask one question after the other."""
    return {"items": [interrupt("one"), interrupt("two")]}


async def ask_too_much(state: State) -> dict[str, Any]:
    """Ask what JSON can't hold."""
    return {"items": [interrupt(float("nan"))]}


def _line(*nodes: tuple[str, Any]) -> Any:
    builder = StateGraph(State)
    before = START
    for name, node in nodes:
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    builder.add_edge(before, END)
    return builder.compile()


def _side_by_side(*nodes: tuple[str, Any]) -> Any:
    builder = StateGraph(State)
    for name, node in nodes:
        builder.add_node(name, node)
        builder.add_edge(START, name)
    return builder.compile()


async def ask_one(state: State) -> dict[str, Any]:
    """Ask the first of two questions."""
    return {"items": [interrupt("one")]}


async def ask_other(state: State) -> dict[str, Any]:
    """Ask the second of two questions."""
    return {"items": [interrupt("other")]}


blocking, ignoring, sitting = (_line(("work", node)) for node in (block, ignore, sit))
steps = _line(*((name, step(name)) for name in ("a", "b", "c")))
holding = _line(("hold", hold), ("b", step("b")))
inner = _line(*((name, step(name)) for name in ("x", "y", "z")))
nested = _line(("a", step("a")), ("inner", inner), ("c", step("c")))
asking_twice = _line(("work", ask_twice))
asking_after = _line(("one", ask_one), ("other", ask_other))
asking_both = _side_by_side(("one", ask_one), ("other", ask_other))
asking_too_much = _line(("work", ask_too_much))

_NAMES = (
    "blocking", "ignoring", "sitting", "holding", "steps", "nested",
    "asking_twice", "asking_after", "asking_both", "asking_too_much",
)  # fmt: skip
STUBBORN = [f"{name}=tests.support.stubborn_graphs:{name}" for name in _NAMES]
