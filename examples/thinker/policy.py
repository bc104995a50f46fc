"""What to do next, and in the end what to answer, by plain rules. Pure: notes in, a message or a text out."""

from collections.abc import Iterable

from langchain_core.messages import AIMessage, ToolCall

from examples.thinker.evidence import quotes
from examples.thinker.notes import Notes

COUNTED = 4
"""How many of a question's words are counted at most."""

READ = 2
"""Passages that are read on around in one round at most."""

COMMON = 200
"""A word that stands there as often tells nothing of where to look."""

WIDER = 12
"""Other words that are searched for at most."""

Calls = list[tuple[str, dict[str, object]]]
"""Tools' names and what to call them with."""


def next_step(notes: Notes) -> AIMessage:
    """Return a thought, with the tools to call; with none where enough is known."""
    if not notes.question.terms:
        return AIMessage("The question has no word that I could look for.")
    if notes.rounds == 0:
        return _look(notes)
    rest = {number: None for quote in quotes(notes) for number in quote.numbers if number not in notes.read}
    reads: Calls = [("read", {"passage": number}) for number in list(rest)[:READ]]
    if notes.rounds == 1:
        return _look_wider(notes, reads)
    if reads:
        return _read_on(notes, reads)
    return AIMessage(_enough(notes))


def answer(notes: Notes) -> str:
    """Return the answer: what it comes to where that can be said, and the sentences that say it."""
    if not notes.question.terms:
        return "The question has no word that the book could be searched for."
    if notes.question.wants_number:
        return " ".join(f"“{term}” stands in the book {times} times." for term, times in notes.counts.items())
    found = quotes(notes)
    if not found:
        return f"The book says nothing of {_listed(notes.question.terms)}, as far as I have read."
    doers = [doer for quote in found if (doer := notes.question.doer(quote.text))]
    gist = f"{doers[0]}. " if doers else ""
    places = "this place" if len(found) == 1 else f"these {len(found)} places"
    told = [f"“{quote.text}” (chapter {quote.chapter})" for quote in found]
    return "\n\n".join([f"{gist}The book tells it best in {places}:", *told])


def _look(notes: Notes) -> AIMessage:
    terms = notes.question.terms
    thought = (
        f"The question is about {_listed(terms)}. I search for passages that tell of them together, "
        "and count each word, for a rare one tells more."
    )
    calls: Calls = [("search", {"query": " ".join(terms)})]
    return _calling(notes, thought, [*calls, *(("count", {"word": term}) for term in terms[:COUNTED])])


def _look_wider(notes: Notes, reads: Calls) -> AIMessage:
    others = notes.wider()[:WIDER]
    told = list[str]()
    if common := [term for term, times in notes.counts.items() if times >= COMMON]:
        told.append(f"{_listed(common)} is all over the book and tells little.")
    if missing := [term for term, times in notes.counts.items() if not times]:
        told.append(f"The book doesn't have {_listed(missing)}.")
    if others:
        told.append(f"It may put things in other words, such as {_listed(others[:3])}.")
    if reads:
        told.append(f"I read on around {_passages(reads)}.")
    telling = [term for term in notes.question.terms if 0 < notes.counts.get(term, 1) < COMMON]
    wider: Calls = [("search", {"query": " ".join([*telling, *others])})] if others else []
    return _calling(notes, " ".join(told) or _enough(notes), [*wider, *reads])


def _read_on(notes: Notes, reads: Calls) -> AIMessage:
    return _calling(notes, f"{_passages(reads)} may say it better; I read on around there.", reads)


def _enough(notes: Notes) -> str:
    found = quotes(notes)
    if not found:
        return "I find nothing that would answer it."
    chapters = dict.fromkeys(quote.chapter for quote in found)
    return f"I have read enough to answer; the best places are in chapter {_listed(chapters)}."


def _calling(notes: Notes, thought: str, calls: Calls) -> AIMessage:
    made = [
        ToolCall(name=name, args=args, id=f"call-{notes.rounds + 1}-{number}", type="tool_call")
        for number, (name, args) in enumerate(calls, 1)
    ]
    return AIMessage(thought, tool_calls=made)


def _passages(reads: Calls) -> str:
    return _listed(f"[{args['passage']}]" for _, args in reads)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
