"""A graph that says all it is given, wherever a graph can say anything."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any, cast

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel


class State(BaseModel):
    """What the graph is given, and what it proves to have been given by."""

    keys: dict[str, str]
    fail: bool = False
    given: str = ""
    answered: str = ""
    said: Any = None


def digest(value: Any) -> str:
    """Proof of a secret that doesn't tell it."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


async def use(state: State) -> dict[str, Any]:
    """Say it in events, in a message, in a warning and in an update."""
    write = get_stream_writer()
    write({"message": f"with {' '.join(state.keys.values())}", "headers": {"authorization": "0penSesame"}})
    write(list(state.keys.values()))
    words = [key for key in state.keys.values() if not any(map(str.isspace, key))]
    model = GenericFakeChatModel(messages=iter([AIMessage(f"the keys {' '.join(words)} it is")]))
    await model.ainvoke("say it")
    warnings.warn(f"a key: {words[0]}", stacklevel=1)
    return {"given": digest(state.keys), "said": state.keys}


async def ask(state: State) -> dict[str, Any]:
    """Say it in a question, and take the answer."""
    answer = interrupt({"question": "are these right?", "keys": list(state.keys.values())})
    return {"answered": digest(answer), "said": [state.said, answer]}


async def end(state: State) -> dict[str, Any]:
    """Say it in an error and in its cause."""
    if state.fail:
        try:
            raise ValueError(f"the cause: {list(state.keys.values())}")
        except ValueError as error:
            raise RuntimeError(f"no use: {' '.join(state.keys.values())}") from error
    return {}


def telling() -> StateGraph[State]:
    """All three."""
    builder = StateGraph(State)
    for node in (use, ask, end):
        builder.add_node(cast("Any", node))
    builder.add_edge(START, "use")
    builder.add_edge("use", "ask")
    builder.add_edge("ask", "end")
    builder.add_edge("end", END)
    return builder


STEPS = ["steps=tests.secrets.graphs:telling"]
