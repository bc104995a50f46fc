"""The digest's graph: split the text, rank the sentences of all parts at once, write the best ones."""

from itertools import pairwise
from operator import add
from typing import Annotated, Literal, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, ConfigDict, Field

from examples.digest.rank import scores
from examples.model import chat_model
from examples.offline import Copyist
from examples.text import sentences, shipped

MOST = 200
"""Sentences in a part at most: ranking looks at every pair of them, so a long text gets more parts."""

READABLE = 300
"""Characters past which a sentence is kept only for want of shorter ones: TextRank likes long sentences."""

ORDER = (
    "Write a short digest of a text from its key sentences, which follow in reading order. "
    "Keep the first line, add nothing that they do not say, and use no more sentences than there are."
)


class Input(BaseModel):
    """What to digest, and how far; without a text it is the shipped one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sentences": 7, "parts": 12}]})

    text: str | None = Field(
        default=None,
        max_length=1_000_000,
        description="The text to digest; without one, Alice's Adventures in Wonderland.",
    )
    sentences: int = Field(default=7, ge=1, le=50, description="How many sentences the digest has at most.")
    parts: int = Field(
        default=12, ge=1, le=64, description="How many parts to rank at once; a long text may need more."
    )


class Output(BaseModel):
    """The digest, and what it was made from."""

    digest: str = Field(description="A heading line, then the sentences in reading order, by blank lines.")
    read: int = Field(description="How many different sentences the text has.")
    parts: int = Field(description="How many parts they were ranked in.")


class Ranked(TypedDict):
    """A sentence, its `place` in the whole text, and its `rank` in its part: both count from 0."""

    rank: int
    score: float
    place: int
    sentence: str


class Part(TypedDict):
    """What one `rank` node gets: part `number` of `parts`, from 1, whose first sentence is at `place`."""

    number: int
    parts: int
    place: int
    sentences: list[str]
    keep: int


class State(TypedDict):
    """All that the nodes share; `ranked` collects the best sentences of each part."""

    text: str | None
    sentences: int
    parts: int
    read: int
    ranked: Annotated[list[Ranked], add]
    digest: str


def split(state: Input) -> Command[Literal["rank", "write"]]:
    """Cut the text into parts of about as many sentences each."""
    found = sentences(shipped() if state.text is None else state.text)
    parts = _parts(found, state)
    get_stream_writer()({"message": f"{len(found)} sentences in {len(parts)} parts"})
    # Overwrite, for a second run in the same thread would find the first one's sentences there.
    update = {"sentences": state.sentences, "parts": len(parts), "read": len(found), "ranked": Overwrite([])}
    return Command(update=update, goto=[Send("rank", part) for part in parts] or "write")


def rank(state: Part) -> dict[str, list[Ranked]]:
    """Find the sentences of one part that its others lean on; this is plain `def`, so it runs in a thread."""
    number, parts = state["number"], state["parts"]
    best = _best(state)
    get_stream_writer()({"message": f"Ranked part {number} of {parts}", "current": number, "total": parts})
    return {"ranked": best}


async def write(state: State) -> dict[str, str]:
    """Have the model write the digest from the best sentences of all parts."""
    chosen = _chosen(state)
    get_stream_writer()({"message": f"Writing {len(chosen)} sentences"})
    notes = "\n\n".join([_heading(len(chosen), state), *(one["sentence"] for one in chosen)])
    answer = await chat_model(Copyist()).ainvoke([SystemMessage(ORDER), HumanMessage(notes)])
    return {"digest": answer.text}


def _parts(found: list[str], given: Input) -> list[Part]:
    count = min(len(found), max(given.parts, -(-len(found) // MOST)))
    cuts = [len(found) * number // count for number in range(count + 1)] if count else []
    return [
        Part(number=number, parts=count, place=start, sentences=found[start:end], keep=given.sentences)
        for number, (start, end) in enumerate(pairwise(cuts), 1)
    ]


def _best(part: Part) -> list[Ranked]:
    weighed = zip(scores(part["sentences"]), part["sentences"], strict=True)
    order = sorted(
        (len(sentence) > READABLE, -score, place, sentence)
        for place, (score, sentence) in enumerate(weighed, part["place"])
    )
    return [
        Ranked(rank=rank, score=-score, place=place, sentence=sentence)
        for rank, (_, score, place, sentence) in enumerate(order[: part["keep"]])
    ]


def _chosen(state: State) -> list[Ranked]:
    """Return the best ones in reading order: each part's first before any part's second, to cover it all."""
    best = sorted(state["ranked"], key=lambda one: (one["rank"], -one["score"], one["place"]))
    return sorted(best[: state["sentences"]], key=lambda one: one["place"])


def _heading(chosen: int, state: State) -> str:
    if not chosen:
        return "There is no sentence to digest."
    return f"The gist, in {chosen} of {state['read']} sentences:"


builder = StateGraph(State, input_schema=Input, output_schema=Output)
builder.add_node(split)
builder.add_node(rank)
builder.add_node(write)
builder.add_edge(START, "split")
builder.add_edge("rank", "write")
graph = builder.compile(name="digest")
