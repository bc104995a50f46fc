"""What stands in Redis can't run code in a worker; a graph's own classes come back as they were."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import operator
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command
from pydantic import BaseModel
from pydantic_settings import BaseSettings
from redis.asyncio import Redis

from events.connect import connect
from events.keys import Keys
from events.model import EventId
from worker.checkpoint import RedisSaver
from worker.points import field, head_of
from worker.serde import StrictSerializer, data_classes

HERE: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}


class Color(Enum):
    """An enum in a state."""

    RED = "red"


class Size(NamedTuple):
    """A named tuple in a state."""

    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Part:
    """A dataclass in a state."""

    color: Color
    size: Size


class Order(BaseModel):
    """A pydantic model in a state, with others in it."""

    parts: list[Part]
    due: datetime


class Secrets(BaseSettings):
    """What must not be made of a checkpoint, since it reads the environment."""

    home: str = ""


class State(TypedDict):
    """A state as graphs have it, of classes of the graph's own module."""

    orders: Annotated[list[Order], operator.add]
    part: Part
    messages: Annotated[list[Any], add_messages]
    any: Any


ORDER = Order(parts=[Part(Color.RED, Size(1, 2))], due=datetime(2026, 1, 1, tzinfo=UTC))
MINE = data_classes(__name__)

Plant = Callable[[str], bytes]
"""A value as it is stored, that runs a shell command where it's read carelessly."""


def extension(code: int, *parts: Any) -> bytes:
    """msgpack with one of LangGraph's extensions, which name what to call."""
    return b"msgpack\0" + ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))


class _Pickled:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, (f"__import__('os').system({self.command!r})",)


def constructor(version: int, *name: str, **arguments: Any) -> bytes:
    """JSON that names a constructor, as LangChain and old checkpoints have it."""
    return b"json\0" + json.dumps({"lc": version, "type": "constructor", "id": name, **arguments}).encode()


GADGETS: dict[str, Plant] = {
    "one argument": lambda command: extension(0, "os", "system", command),
    "arguments": lambda command: extension(1, "os", "system", [command]),
    "keywords": lambda command: extension(2, "os", "system", {"command": command}),
    "method": lambda command: extension(3, "subprocess", "os", command, "system"),
    "pydantic 1": lambda command: extension(4, "os", "system", {"command": command}),
    "pydantic 2": lambda command: extension(5, "os", "system", {"command": command}, "model_validate_json"),
    "within a snapshot": lambda command: (
        b"msgpack\0" + ormsgpack.packb(ormsgpack.Ext(7, extension(0, "os", "system", command)[8:]))
    ),
    "within an allowed class": lambda command: extension(
        2,
        __name__,
        "Part",
        {"color": ormsgpack.Ext(0, ormsgpack.packb(("os", "system", command))), "size": 1},
    ),
    "pickle": lambda command: b"pickle\0" + pickle.dumps(_Pickled(command)),
    "json": lambda command: constructor(2, "os", "system", args=[command]),
    "json of LangChain": lambda command: constructor(1, "os", "system", kwargs={"command": command}),
}


@pytest.fixture
def saver(redis: Redis, keys: Keys) -> RedisSaver:
    """A saver that may rebuild this module's data classes."""
    return RedisSaver(redis, keys, ttl_seconds=60, modules=[__name__])


@pytest.mark.parametrize("place", ["value", "write", "point"])
@pytest.mark.parametrize("name", GADGETS)
async def test_a_planted_gadget_never_runs(
    saver: RedisSaver, redis: Any, keys: Keys, tmp_path: Path, name: str, place: str
) -> None:
    """Wherever it stands, it's refused, or comes back as the data it is."""
    gadget = GADGETS[name](f"touch {tmp_path}/ran")
    at, head = keys.checkpoints("t"), head_of("", "1")
    checkpoint: Any = {"id": "1", "channel_values": {"x": 1}, "channel_versions": {"x": "1"}}
    await saver.aput(HERE, checkpoint, {}, {"x": "1"})
    await saver.aput_writes({"configurable": {**HERE["configurable"], "checkpoint_id": "1"}}, [("x", 1)], "t")
    if place == "value":
        await redis.hset(at.values, field("", "x", "1"), b"\0" + gadget)
    elif place == "write":
        await redis.hset(at.writes(head), b'["t",0]', b'["","x"]\0' + gadget)
    else:
        await redis.zadd(at.points, {head_of("", "2") + b"\0" + gadget: 0})
    refused = place == "point" or name in ("pickle", "json", "json of LangChain")
    with pytest.raises((ValueError, TypeError)) if refused else contextlib.nullcontext():
        await saver.aget_tuple(HERE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [name for name in GADGETS if name != "method" and "json" not in name])
def test_the_gadgets_are_live(tmp_path: Path, name: str) -> None:
    """LangGraph's serializer, as lenient as it comes, does run them: the test above tests something."""
    kind, data = GADGETS[name](f"touch {tmp_path}/ran").split(b"\0", 1)
    lenient = JsonPlusSerializer(pickle_fallback=True, allowed_msgpack_modules=True)
    lenient.loads_typed((kind.decode(), data))
    assert (tmp_path / "ran").exists()


async def test_a_graphs_own_classes_come_back(redis: Redis, keys: Keys, redis_port: int) -> None:
    """Pydantic models, dataclasses, enums, named tuples and messages, in another worker's hands."""
    seen: list[Any] = []

    def make(_: State) -> dict[str, Any]:
        return {"orders": [ORDER], "part": ORDER.parts[0], "any": Size(3, 4)}

    def look(state: State) -> None:
        seen.append(state)

    builder: Any = StateGraph(State)
    builder.add_node("first", make)
    builder.add_node("second", look)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    messages = [
        HumanMessage("hi", id="1"),
        AIMessage("ho", id="2"),
        ToolMessage("x", tool_call_id="3", id="3"),
    ]
    first: Any = builder.compile(
        checkpointer=RedisSaver(redis, keys, ttl_seconds=60).with_allowlist(MINE), interrupt_after=["first"]
    )
    await first.ainvoke({"messages": messages}, HERE)
    client = connect(f"redis://127.0.0.1:{redis_port}/0")
    second: Any = builder.compile(checkpointer=RedisSaver(client, keys, ttl_seconds=60).with_allowlist(MINE))
    await second.ainvoke(Command(resume=True), HERE)
    await client.aclose()
    expected = {"orders": [ORDER], "part": ORDER.parts[0], "messages": messages, "any": Size(3, 4)}
    assert seen == [expected]
    assert [type(value) for value in seen[0].values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    "value",
    [
        ORDER,
        [Color.RED],
        {"s": Size(1, 2)},
        {1, 2},
        Decimal("1.1"),
        UUID(int=1),
        b"\0",
        2**63,
        None,
    ],
    ids=lambda value: type(value).__name__,
)
async def test_values_come_back_as_they_were(saver: RedisSaver, value: Any) -> None:
    """Each as a channel's value and as a task's write."""
    checkpoint: Any = {"id": "1", "channel_values": {"x": value}, "channel_versions": {"x": "1"}}
    stored = await saver.aput(HERE, checkpoint, {}, {"x": "1"})
    await saver.aput_writes(stored, [("x", value)], "task")
    found = await saver.aget_tuple(HERE)
    assert found is not None
    assert found.checkpoint["channel_values"]["x"] == value
    assert found.pending_writes == [("task", "x", value)]
    assert type(found.checkpoint["channel_values"]["x"]) is type(value)


def test_what_counts_as_a_graphs_own_data() -> None:
    """Data classes of its package, by name; no settings, no functions, and nothing it only imports."""
    names = {name for module, name in MINE if module == __name__}
    assert names == {"Color", "Size", "Part", "Order"}
    assert {module.partition(".")[0] for module, _ in MINE} == {"tests"}


def test_a_foreign_class_comes_back_as_plain_data() -> None:
    """Unless it's named: then as itself."""
    packed = StrictSerializer().dumps_typed(EventId(1, 2))
    assert StrictSerializer().loads_typed(packed) == {"attempt": 1, "seq": 2}
    allowed = StrictSerializer(data_classes("events.model")).loads_typed(packed)
    assert (type(allowed), allowed) == (EventId, EventId(1, 2))
