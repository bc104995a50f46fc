"""How the thinker reads: its words, its search, its tools, and what it takes a question to ask for."""

import re
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from examples.text import shipped
from examples.thinker.bm25 import LENGTH, SATURATION, Index
from examples.thinker.notes import Notes, take
from examples.thinker.passages import passages
from examples.thinker.question import Question
from examples.thinker.tools import count, counted_in, read, search, shown_in
from examples.thinker.words import kin, stem, stems

texts = st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), max_size=6)


# --- words


@pytest.mark.parametrize(
    "alike",
    [
        ("grow", "grows", "growing"),
        ("ask", "asked", "asks", "asking"),
        ("tart", "tarts"),
        ("cat", "cat\u2019s", "cats"),
        ("run", "running"),
        ("call", "called"),
        ("rose", "roses"),
        ("sit", "sitting"),
    ],
    ids=lambda alike: alike[0],
)
def test_forms_of_a_word_have_one_stem(alike: tuple[str, ...]) -> None:
    """A word's regular forms are taken for one word."""
    assert {stem(word) for word in alike} == {stem(alike[0])}


@pytest.mark.parametrize("word", ["is", "the", "red", "king", "s", "Alice"])
def test_short_words_stay(word: str) -> None:
    """No ending is cut off that would leave less than three letters."""
    assert len(stem(word)) >= min(3, len(word))


def test_kin() -> None:
    """Irregular forms and other words for a thing are found from any of its forms, and never itself."""
    assert {"grew", "grown", "taller"} <= set(kin("growing"))
    assert "steal" in kin("stole")
    assert stem("growing") not in map(stem, kin("growing"))
    assert kin("caterpillar") == ()


def test_stems_leave_out_what_tells_nothing() -> None:
    """A question's small words aren't looked for."""
    assert stems("What is the Cheshire Cat\u2019s advice?") == ["cheshir", "cat", "advic"]


# --- search


def test_bm25_by_hand() -> None:
    """The score of a text is the paper's formula."""
    index = Index([["tart", "tart", "queen"], ["queen"], ["knave", "hat"]])
    rarity = log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    norm = SATURATION * (1 - LENGTH + LENGTH * 3 / 2)
    [hit] = index.search(["tart"], 5)
    assert (hit.place, hit.score) == (0, pytest.approx(rarity * 2 * (SATURATION + 1) / (2 + norm)))


def test_bm25_prefers_the_shorter_text_and_the_rarer_word() -> None:
    """Of two texts with a word the shorter one is better, and a word that few texts have counts more."""
    index = Index([["hat", "a", "b", "c"], ["hat", "a"], ["hat", "tart"], ["a", "b"]])
    assert [hit.place for hit in index.search(["hat", "tart"], 9)] == [2, 1, 0]


@settings(deadline=None)
@given(texts, st.sets(st.sampled_from("abcdefg"), max_size=3), st.integers(0, 4))
def test_search_finds_what_has_a_word(found: list[list[str]], wanted: set[str], limit: int) -> None:
    """A text is found if it has one of the words, the best first, and no more of them than asked for."""
    hits = Index(found).search(wanted, limit)
    having = [place for place, text in enumerate(found) if wanted & set(text)]
    assert len(hits) == min(limit, len(having))
    assert {hit.place for hit in hits} <= set(having)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


# --- passages and tools


def test_passages_are_the_whole_book() -> None:
    """The passages have every word of the book but for its title and headings, in order, numbered from 1."""
    told = " ".join(one.text for one in passages()).split()
    body = re.sub(
        r"^CHAPTER .*$", "", shipped().partition("CHAPTER I.")[2].partition("\n")[2], flags=re.MULTILINE
    )
    assert told == body.split()
    assert [one.number for one in passages()] == list(range(1, len(passages()) + 1))
    assert len({one.chapter for one in passages()}) == 12


@pytest.mark.parametrize("number", [1, 2, 65, 193, len(passages())])
def test_read_shows_what_stands_around(number: int) -> None:
    """A passage comes with its neighbours, and can be read back from the result as it stands in the book."""
    shown = shown_in(read.invoke({"passage": number}))
    assert shown == [one for one in passages() if abs(one.number - number) <= 1]


@pytest.mark.parametrize("number", [0, -1, len(passages()) + 1])
def test_read_beyond_the_book(number: int) -> None:
    """A number that no passage has is told of."""
    result = read.invoke({"passage": number})
    assert result == f"There is no passage [{number}]: they are numbered from 1 to {len(passages())}."
    assert shown_in(result) == []


def test_search_shows_the_best_passage_first() -> None:
    """The passage that has the rare word comes first, and its number and chapter are told."""
    result = search.invoke({"query": "stole the tarts"})
    best = shown_in(result)[0]
    assert "he stole those tarts" in best.text
    assert f"the best is [{best.number}] in chapter XI. Who Stole the Tarts?" in result
    assert search.invoke({"query": "quantum"}) == "No passage tells of 'quantum'."


@pytest.mark.parametrize("word", ["caterpillar", "Dinah", "hookah", "tarts", "quantum"])
def test_count_is_how_often_it_stands_there(word: str) -> None:
    """A word is counted in all its forms, over the whole book but for the headings."""
    body = re.sub(r"^CHAPTER .*$", "", shipped(), flags=re.MULTILINE)
    expected = len(re.findall(rf"\b{word.rstrip('s')}s?\b", body, re.IGNORECASE))
    assert counted_in(count.invoke({"word": word})) == expected


# --- questions


@pytest.mark.parametrize(
    ("question", "speaker"),
    [
        ("What does the Caterpillar ask Alice?", "caterpillar"),
        ("What does Alice ask the Caterpillar?", "alice"),
        ("What is the Cheshire Cat's advice?", "cat"),
        ("What advice does the Cheshire Cat give?", "cat"),
        ("What does the Queen of Hearts shout?", "queen"),
        ("Who stole the tarts?", None),
        ("Say?", None),
    ],
)
def test_whose_words_are_asked_for(question: str, speaker: str | None) -> None:
    """The person before a word for speaking speaks, or else the one after; others ask for nobody's words."""
    assert Question(question).speaker == speaker


@pytest.mark.parametrize(
    ("line", "before", "fits"),
    [
        ("\u2018Who are YOU?\u2019 said the Caterpillar.", "", True),
        ("\u2018I don\u2019t see,\u2019 said the Caterpillar.", "", False),
        (
            "\u2018What size do you want to be?\u2019 it asked.",
            "The Caterpillar was the first to speak.",
            True,
        ),
        ("\u2018What size do you want to be?\u2019 it asked.", "The Pigeon was the first to speak.", False),
        ("\u2018Is that all?\u2019 said Alice, to the Caterpillar.", "", False),
    ],
)
def test_a_line_fits_that_the_right_person_says(line: str, before: str, fits: bool) -> None:
    """Who is asked to have asked must say it, and it must be a question."""
    assert Question("What does the Caterpillar ask Alice?").fits(line, before) == fits


@pytest.mark.parametrize(
    ("question", "line", "doer"),
    [
        ("Who stole the tarts?", "The Knave of Hearts, he stole those tarts", "The Knave of Hearts"),
        ("Who stole the tarts?", "\u2018Stolen!\u2019 the King exclaimed", None),
        ("Who won the race?", "\u2018The race is over!\u2019", None),
        ("Who grins?", "She said that it grins. It grins.", None),
        ("What stole the tarts?", "The Knave of Hearts, he stole those tarts", None),
        ("Who?", "The Knave", None),
    ],
)
def test_who_did_it(question: str, line: str, doer: str | None) -> None:
    """A line tells who did what is asked, if a name stands before the verb."""
    assert Question(question).doer(line) == doer


def test_rare_words_and_names_tell_more() -> None:
    """A word counts the more the rarer it is, and a name more than another word."""
    notes = Notes(
        Question("How does Alice grow near the Dodo?"), counts={"alice": 386, "grow": 24, "dodo": 24}
    )
    assert notes.weight("dodo") > notes.weight("grow") > notes.weight("alice")


def test_notes_begin_with_the_last_question() -> None:
    """A conversation's earlier questions have nothing to do with the notes."""
    notes = take([HumanMessage("Who is Dinah?"), HumanMessage("Who stole the tarts?")])
    assert notes.question.terms == ["stole", "tarts"]
