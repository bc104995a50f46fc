"""The thinker's graph: a thought, the tools it calls all at once, the next thought, and then the answer."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field

from examples.model import chat_model
from examples.pace import linger
from examples.thinker.reader import Reader
from examples.thinker.tools import TOOLS

THINK = (
    "You are to answer a question about Alice's Adventures in Wonderland. Say in a sentence or two what you "
    "look for now and why, and call tools; when you have read enough, say so and call none."
)

ANSWER = (
    "Answer the last question about Alice's Adventures in Wonderland from what the tools told, in a few "
    "sentences. Quote the book, and say in which chapter each quotation stands. Call no tools."
)


class Input(BaseModel):
    """What to answer, and how long to look for it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "What does the Caterpillar ask Alice?", "rounds": 4}]}
    )

    question: str = Field(
        default="What does the Caterpillar ask Alice?",
        min_length=1,
        max_length=500,
        description="A question about Alice's Adventures in Wonderland, in English.",
    )
    rounds: int = Field(default=4, ge=1, le=8, description="How often tools may be called at most.")
    pace: float = Field(
        default=1.0, ge=0, le=10, description="How long to linger, as a network would; 0 is not at all."
    )


class Output(BaseModel):
    """The answer, with quotations, and how often tools were called for it."""

    answer: str
    used: int = Field(description="How many rounds of tools it took.")


class State(TypedDict):
    """All that the nodes share; a thread's `messages` go on with the next question, the rest begins anew."""

    messages: Annotated[list[AnyMessage], add_messages]
    rounds: int
    pace: float
    used: int
    answer: str


def ask(state: Input) -> dict[str, Any]:
    """Put the question to the conversation."""
    question = HumanMessage(state.question)
    return {"messages": [question], "rounds": state.rounds, "pace": state.pace, "used": 0}


async def think(state: State) -> Command[Literal["tools", "answer"]]:
    """Have the model say what it looks for, and call what tools it wants."""
    report, used = get_stream_writer(), state["used"]
    if used == state["rounds"]:
        report({"message": "No round is left", "current": used, "total": state["rounds"]})
        return Command(goto="answer")
    report({"message": f"Round {used + 1}: thinking", "current": used, "total": state["rounds"]})
    model = chat_model(Reader(delay=0.035 * state["pace"])).bind_tools(TOOLS)
    thought = await model.ainvoke([SystemMessage(THINK), *state["messages"]])
    report({"message": thought.text, "current": used, "total": state["rounds"]})
    if not thought.tool_calls:
        return Command(update={"messages": [thought]}, goto="answer")
    # A Send for each call, for then each is a node of its own, which runs and is kept by itself.
    calls = [Send("tools", [call]) for call in thought.tool_calls]
    return Command(update={"messages": [thought], "used": used + 1}, goto=calls)


async def tell(
    request: ToolCallRequest, call: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
) -> ToolMessage | Command[Any]:
    """Report a tool's call, and what came of it."""
    report, name, args = get_stream_writer(), request.tool_call["name"], request.tool_call["args"]
    wanted = ", ".join(str(value) for value in args.values())
    report({"message": f"{name}: {wanted}", "tool": name, "args": args})
    await linger(1.2 * request.state["pace"])
    result = await call(request)
    if isinstance(result, ToolMessage):
        report({"message": result.text.partition("\n")[0], "tool": name, "args": args})
    return result


async def answer(state: State) -> dict[str, Any]:
    """Have the model write the answer from what was found."""
    get_stream_writer()({"message": f"Answering after {state['used']} rounds of tools"})
    model = chat_model(Reader(delay=0.03 * state["pace"]))
    written: AIMessage = await model.ainvoke([SystemMessage(ANSWER), *state["messages"]])
    return {"messages": [written], "answer": written.text}


builder = StateGraph(State, input_schema=Input, output_schema=Output)
builder.add_node(ask)
builder.add_node(think)
builder.add_node("tools", ToolNode(TOOLS, awrap_tool_call=tell))
builder.add_node(answer)
builder.add_edge(START, "ask")
builder.add_edge("ask", "think")
builder.add_edge("tools", "think")
graph = builder.compile(name="thinker")
