"""What a conversation has brought to light so far: read back from its messages, as a model does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage

from examples.thinker.passages import Passage
from examples.thinker.question import Question
from examples.thinker.tools import counted_in, shown_in
from examples.thinker.words import kin

UNCOUNTED = 30
"""How often a word is taken to stand in the book until it's counted."""

FEW = 20
"""Far below so many times, it says little how often exactly a word stands in the book."""

NAME = 2.0
"""How many times as much a name tells as another word that stands there as often."""

Message = AnyMessage | BaseMessage


@dataclass(slots=True)
class Notes:
    """The question and what the tools have told.

    Attributes:
        question: as it was asked.
        rounds: how often tools were called.
        counts: how often a term stands in the book.
        passages: those that were shown, by number.
        read: the numbers of those that were read with what stands around them.
    """

    question: Question
    rounds: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])
    passages: dict[int, Passage] = field(default_factory=dict[int, Passage])
    read: set[int] = field(default_factory=set[int])

    def weight(self, term: str) -> float:
        """How much a term tells: the rarer it is the more, and more so a name."""
        factor = NAME if term in self.question.names else 1.0
        return factor / sqrt(FEW + self.counts.get(term, UNCOUNTED))

    def wider(self) -> list[str]:
        """Words that the book may use in place of the terms."""
        return list(dict.fromkeys(other for term in self.question.terms for other in kin(term)))


def take(messages: Sequence[Message]) -> Notes:
    """Return the notes on the last question of a conversation."""
    start = max(place for place, one in enumerate(messages) if isinstance(one, HumanMessage))
    notes, calls = Notes(Question(messages[start].text)), dict[str | None, ToolCall]()
    for one in messages[start:]:
        if isinstance(one, AIMessage):
            notes.rounds += bool(one.tool_calls)
            calls |= {call["id"]: call for call in one.tool_calls}
        if isinstance(one, ToolMessage):
            call = calls[one.tool_call_id]
            _note(notes, call["name"], call["args"], one.text)
    return notes


def _note(notes: Notes, tool: str, args: dict[str, object], result: str) -> None:
    if tool == "count":
        notes.counts[str(args["word"])] = counted_in(result)
        return
    shown = {one.number: one for one in shown_in(result)}
    notes.passages |= shown
    if tool == "read":
        notes.read |= shown.keys()
