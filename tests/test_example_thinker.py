"""The thinker, run as LangGraph runs it: thoughts, tools in parallel, and answers that quote the book."""

import re
import sys
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import jsonschema
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from events.model import EventType
from examples import thinker
from examples.text import shipped
from examples.thinker.reader import Reader
from tests.support.examples import Graph, in_pieces, kept, of_type, parts_of, runs_of, thread
from worker.translate import Translator

QUESTION = "What does the Caterpillar ask Alice?"

ANSWERS = {
    QUESTION: [
        "Who are YOU?\u2019 said the Caterpillar.\u201d (chapter V. Advice from a Caterpillar)",
        "What size do you want to be?\u2019 it asked.\u201d (chapter V. Advice from a Caterpillar)",
    ],
    "Who stole the tarts?": [
        "The Knave of Hearts. ",
        "he stole those tarts, And took them quite away!\u2019\u201d (chapter XI. Who Stole the Tarts?)",
    ],
    "How does Alice grow and shrink?": [
        "if it makes me grow larger, I can reach the key; and if it makes me grow smaller",
        "the cause of this was the fan she was holding",
        "If I eat one of these cakes",
        "growing sometimes taller and sometimes shorter",
    ],
    "What is the Cheshire Cat's advice?": [
        "Would you tell me, please, which way I ought to go from here?\u2019 "
        "\u2018That depends a good deal on where you want to get to,\u2019 said the Cat.",
        "(chapter VI. Pig and Pepper)",
    ],
    "Who is Dinah?": ["(Dinah was the cat.)"],
    "What is the Hatter\u2019s riddle?": ["Why is a raven like a writing-desk?"],
    "Why are the gardeners painting the roses red?": ["we put a white one in by mistake"],
    "What does the Queen of Hearts shout?": ["\u2018Are their heads off?\u2019 shouted the Queen."],
    "How often is the Queen mentioned?": ["\u201cqueen\u201d stands in the book 75 times."],
    "What is quantum chromodynamics?": ["The book says nothing of quantum and chromodynamics"],
    "\u2026?": ["The question has no word that the book could be searched for."],
}


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own TASKREEL_MODEL out of the tests."""
    monkeypatch.delenv("TASKREEL_MODEL", raising=False)


async def answered(question: str, **more: Any) -> dict[str, Any]:
    graph: Graph = thinker.graph
    return await graph.ainvoke({"question": question, "pace": 0, **more})


async def conversation(question: str, **more: Any) -> list[Any]:
    graph, config = kept(thinker.graph), thread()
    await graph.ainvoke({"question": question, "pace": 0, **more}, config)
    return (await graph.aget_state(config)).values["messages"]


@pytest.mark.parametrize(("question", "told"), ANSWERS.items(), ids=list(ANSWERS))
async def test_answers(question: str, told: list[str]) -> None:
    """The answer has what a reader of the book would quote, and where it stands."""
    answer = (await answered(question))["answer"]
    assert [part for part in told if part not in answer] == []


@pytest.mark.parametrize("question", list(ANSWERS)[:4])
async def test_quotes_stand_in_the_book(question: str) -> None:
    """What is quoted stands in the book, word for word, in the chapter that is named."""
    answer = (await answered(question))["answer"]
    quoted = re.findall(r"^\u201c(.+)\u201d \(chapter (.+)\)$", answer, re.MULTILINE)
    chapters = {
        name: " ".join(text.split())
        for name, text in re.findall(r"^CHAPTER (.+)\n((?:(?!CHAPTER ).*\n?)*)", shipped(), re.MULTILINE)
    }
    assert quoted
    assert all(line in chapters[chapter] for text, chapter in quoted for line in [text])


async def test_same_question_same_answer() -> None:
    """Two runs of the same input give the same, as a resumed run must."""
    assert await answered(QUESTION) == await answered(QUESTION)


async def test_conversation() -> None:
    """The question comes first; each thought's calls are answered; the last thought calls none."""
    question, *between, last_thought, answer = await conversation(QUESTION)
    assert isinstance(question, HumanMessage)
    assert question.text == QUESTION
    assert isinstance(answer, AIMessage)
    assert last_thought.text.startswith("I have read enough")
    thoughts = [one for one in between if isinstance(one, AIMessage)]
    called = [call["id"] for one in thoughts for call in one.tool_calls]
    results = [one.tool_call_id for one in between if isinstance(one, ToolMessage)]
    assert results == called
    assert all(one.text and one.tool_calls for one in thoughts)


@pytest.mark.parametrize("rounds", [1, 2, 3])
async def test_rounds_are_limited(rounds: int) -> None:
    """However few rounds it has, it answers from what it has read by then."""
    result = await answered(QUESTION, rounds=rounds)
    assert result["used"] == rounds
    assert "said the Caterpillar" in result["answer"]


async def test_tools_run_in_parallel() -> None:
    """Each call of a thought is a node of its own, all of them begun before the first ends."""
    parts = await parts_of(kept(thinker.graph), {"question": QUESTION, "pace": 0}, thread())
    runs = runs_of(parts)
    assert runs[:6] == ["ask", "think", "tools", "tools", "tools", "tools"]
    ends = [task["name"] for task in of_type(parts, "tasks") if "result" in task]
    assert ends[:2] == ["ask", "think"]
    assert runs.count("tools") == ends.count("tools") == 8


async def test_log_shows_thoughts_calls_and_results() -> None:
    """In the log a thought is written in pieces, and a call and its result stand in messages and updates."""
    translator = Translator()
    parts = await parts_of(kept(thinker.graph), {"question": "Who stole the tarts?", "pace": 0}, thread())
    events = [event for part in parts for event in translator.translate(part)]
    written = [
        event.data for event in events if event.type == EventType.MESSAGE_DELTA and event.node == "think"
    ]
    assert "".join(data["text"] for data in written).startswith(
        "The question is about stole and tarts. I search"
    )
    messages = [event.data for event in events if event.type == EventType.MESSAGE_COMPLETED]
    assert {data["role"] for data in messages} == {"human", "ai", "tool"}
    ended = [event for event in events if event.type == EventType.NODE_COMPLETED and event.node == "tools"]
    results = [event.data["update"]["messages"][0].text for event in ended]
    assert any(text.startswith("\u201ctarts\u201d stands there 7 times") for text in results)
    told = [event.data for event in events if event.type == EventType.PROGRESS]
    assert {"message": "count: tarts", "tool": "count", "args": {"word": "tarts"}} in told
    assert any(data["message"].startswith("5 passages, the best is [193]") for data in told)


async def test_answer_streams() -> None:
    """The answer is written in pieces, which make the result."""
    graph, config = kept(thinker.graph), thread()
    parts = await parts_of(graph, {"question": QUESTION, "pace": 0}, config)
    chunks = [
        chunk.text for chunk, about in of_type(parts, "messages") if about["langgraph_node"] == "answer"
    ]
    assert "".join(chunks) == (await graph.aget_state(config)).values["answer"]
    assert len(chunks) > 20


async def test_goes_on_from_any_checkpoint() -> None:
    """Stopped before each node, and gone on with from what was kept, it comes to the same answer."""
    state, stops = await in_pieces(thinker.graph, {"question": QUESTION, "pace": 0})
    assert stops == 9
    assert {name: state[name] for name in ("answer", "used")} == await answered(QUESTION)


async def test_next_question_in_a_thread() -> None:
    """A thread's next question has an answer and rounds of its own; the conversation is kept."""
    graph, config = kept(thinker.graph), thread()
    await graph.ainvoke({"question": QUESTION, "pace": 0}, config)
    again = await graph.ainvoke({"question": "Who stole the tarts?"}, config)
    assert {name: again[name] for name in ("answer", "used")} == await answered("Who stole the tarts?")
    messages = (await graph.aget_state(config)).values["messages"]
    assert [one.text for one in messages if isinstance(one, HumanMessage)] == [
        QUESTION,
        "Who stole the tarts?",
    ]


async def test_named_model_thinks_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TASKREEL_MODEL set, the model that langchain makes of that name has the tools and answers."""
    maker = Mock(return_value=Reader())
    langchain: Any = ModuleType("langchain.chat_models")
    langchain.init_chat_model = maker
    monkeypatch.setitem(sys.modules, "langchain", ModuleType("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.chat_models", langchain)
    monkeypatch.setenv("TASKREEL_MODEL", "someone:their-model")
    assert (await answered("Who stole the tarts?"))["answer"].startswith("The Knave of Hearts.")
    maker.assert_called_with("someone:their-model")


@pytest.mark.parametrize(
    "given",
    [{"question": ""}, {"question": "a" * 501}, {"question": 5}, {"rounds": 0}, {"rounds": 9}, {"pace": -1}],
    ids=lambda given: str(given)[:30],
)
def test_schema_refuses(given: Any) -> None:
    """The input schema refuses an empty or overlong question, and numbers out of bounds."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, thinker.graph.get_input_jsonschema())
