"""The digest, run as LangGraph runs it: it knows of no log, no queue and no pod."""

import sys
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import jsonschema
import pytest

from examples import digest
from examples.digest.rank import scores
from examples.offline import Copyist
from examples.text import LONGEST, sentences, shipped
from tests.support.examples import Graph, kept, of_type, parts_of, thread


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own TASKREEL_MODEL out of the tests."""
    monkeypatch.delenv("TASKREEL_MODEL", raising=False)


def flat(text: str) -> str:
    return " ".join(text.split())


async def digested(**given: Any) -> dict[str, Any]:
    graph: Graph = digest.graph
    return await graph.ainvoke(given)


def picked(result: dict[str, Any]) -> list[str]:
    return result["digest"].split("\n\n")[1:]


async def test_default_digest() -> None:
    """With no input at all, seven sentences of the shipped text come out verbatim and in reading order."""
    result = await digested()
    text, chosen = flat(shipped()), picked(result)
    places = [text.find(sentence) for sentence in chosen]
    assert len(chosen) == 7
    assert -1 not in places
    assert places == sorted(places)
    assert (result["read"], result["parts"]) == (len(sentences(shipped())), 12)


async def test_digest_is_deterministic() -> None:
    """Two runs of the same input give the same digest, as a resumed run must."""
    assert await digested(sentences=20, parts=9) == await digested(sentences=20, parts=9)


async def test_digest_in_a_used_thread() -> None:
    """A second run in a thread digests its own text only."""
    graph, config = kept(digest.graph), thread()
    await graph.ainvoke({}, config)
    again = await graph.ainvoke({"text": "Only one sentence is here."}, config)
    assert picked(again) == ["Only one sentence is here."]


async def test_deltas_make_the_digest() -> None:
    """The messages stream word by word, under one id, and concatenate to the digest."""
    graph, config = kept(digest.graph), thread()
    chunks = [chunk for chunk, _ in of_type(await parts_of(graph, {}, config), "messages")]
    state = await graph.aget_state(config)
    words = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(words) == state.values["digest"]
    assert len(words) == len(state.values["digest"].split())
    assert len({chunk.id for chunk in chunks}) == 1


async def test_progress_of_each_part() -> None:
    """Each part reports its progress once, as a number out of all parts."""
    events = of_type(await parts_of(kept(digest.graph), {"parts": 9}, thread()), "custom")
    counted = [(event["current"], event["total"]) for event in events if "current" in event]
    assert sorted(counted) == [(number, 9) for number in range(1, 10)]
    assert all(isinstance(event["message"], str) for event in events)


@pytest.mark.parametrize("count", [1, 3, 50])
async def test_digest_has_the_sentences_asked_for(count: int) -> None:
    """The digest of a text with enough sentences has as many as were asked for."""
    assert len(picked(await digested(sentences=count))) == count


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", 0),
        (" \n\t\n ", 0),
        ("One sentence only.", 1),
        ("no stop and no capital", 1),
        ("a" * 1_000_000, 1),
        ("b " * 500_000, 1),
        ("!" * 1_000_000, 1),
        ("\N{GRINNING FACE}! \N{FAMILY}. \u4f60\u597d\u3002\u518d\u89c1\uff01", 4),
        ("A\0B. \0C. \x1b[31mD\x07.", 3),
        ("Same again. " * 5000, 1),
    ],
    ids=["empty", "blank", "one", "no-stop", "1MB", "1MB-words", "stops", "unicode", "control", "same"],
)
async def test_odd_texts(text: str, read: int) -> None:
    """Texts that are no prose give a digest of what sentences they have, none of them overlong."""
    result = await digested(text=text)
    assert result["read"] == read
    assert len(picked(result)) == min(read, 7)
    assert all(sentence in flat(text) and len(sentence) <= LONGEST for sentence in picked(result))


async def test_long_text_gets_more_parts() -> None:
    """Ranking compares every pair, so a part never has more than some two hundred sentences."""
    text = " ".join(f"Sentence {number} tells about number {number}." for number in range(1000))
    assert (await digested(text=text, parts=1))["parts"] == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mr. Bean met Dr. No. He ran.", ["Mr. Bean met Dr. No.", "He ran."]),
        (
            "\u2018Oh dear!\u2019 cried she. Then\nnothing.",
            ["\u2018Oh dear!\u2019 cried she.", "Then nothing."],
        ),
        ("A heading\r\n\r\nA line.", ["A heading", "A line."]),
        ("Twice. Once. Twice.", ["Twice.", "Once."]),
    ],
    ids=["titles", "speech", "heading", "once-each"],
)
def test_sentences(text: str, found: list[str]) -> None:
    """Sentences end at stops and blank lines, but not after a title or before a small letter."""
    assert sentences(text) == found


def test_scores() -> None:
    """The sentence that shares words with the others weighs most, and the mean weight is 1."""
    weights = scores(
        ["Green apples grow.", "Green apples taste like pears.", "Pears taste sweet.", "Nothing."]
    )
    assert max(weights) == weights[1]
    assert min(weights) == weights[3]
    assert sum(weights) == pytest.approx(4)


@pytest.mark.parametrize(
    "given",
    [{"text": 5}, {"sentences": "7"}, {"sentences": 0}, {"sentences": 51}, {"parts": 65}, {"parts": 1.5}, []],
    ids=str,
)
def test_digest_schema_refuses(given: Any) -> None:
    """The input schema refuses wrong types and numbers out of bounds."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, digest.graph.get_input_jsonschema())


@pytest.mark.parametrize("given", [{}, {"text": ""}, {"text": "A.", "sentences": 50, "parts": 1}], ids=str)
def test_digest_schema_accepts(given: Any) -> None:
    """Every field of the input is optional, and each is described."""
    schema = digest.graph.get_input_jsonschema()
    jsonschema.validate(given, schema)
    assert all(field["description"] for field in schema["properties"].values())


async def test_named_model_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TASKREEL_MODEL set, the model that langchain makes of that name writes the digest."""
    maker = Mock(return_value=Copyist())
    langchain: Any = ModuleType("langchain.chat_models")
    langchain.init_chat_model = maker
    monkeypatch.setitem(sys.modules, "langchain", ModuleType("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.chat_models", langchain)
    monkeypatch.setenv("TASKREEL_MODEL", "someone:their-model")
    assert picked(await digested(text="A sentence.")) == ["A sentence."]
    maker.assert_called_once_with("someone:their-model")


async def test_named_model_without_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without langchain, a set TASKREEL_MODEL fails with one line that says what to install."""
    monkeypatch.setitem(sys.modules, "langchain", None)
    monkeypatch.setenv("TASKREEL_MODEL", "someone:their-model")
    with pytest.raises(RuntimeError) as failed:
        await digested(text="A sentence.")
    assert str(failed.value).splitlines() == [
        "TASKREEL_MODEL=someone:their-model needs langchain: pip install 'taskreel[models]'"
    ]
