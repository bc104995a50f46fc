"""The live view's pictures: what they show, and that they fit the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.hints import broken
from cli.picture import Frame, draw
from cli.pretty import pretty
from cli.showing import Showing
from cli.times import age, span
from cli.view import View
from cli.wire import Event, Notice
from tests.test_view import an_event

CONSOLE = Console(file=io.StringIO(), width=80)


def picture(view: View, width: int = 80, height: int = 24, now: int = 0, label: str = "") -> list[str]:
    """The lines of the view on a terminal of that size."""
    showing = Showing("the-task", "http://127.0.0.1:8000", label=label)
    return [line.plain for line in draw(view, Frame(showing, width, height, now), CONSOLE)]


def fed(*events: Event) -> View:
    """A view of these events."""
    view = View()
    for event in events:
        view.feed(event)
    return view


def busy() -> View:
    """A view of everything at once: ended nodes, a fan-out, several messages, notes, a question."""
    view = fed(an_event(1, "task.submitted", graph="wide"), an_event(2, "attempt.started", worker="w"))
    for seq in range(3, 60):
        view.feed(an_event(seq, "node.started", node=f"node {seq} " + "日本" * 9, run=f"{seq}"))
        view.feed(an_event(seq, "node.completed", node=f"node {seq} " + "日本" * 9, run=f"{seq}"))
    for seq in range(60, 260):
        view.feed(an_event(seq, "node.started", node="branch", run=f"{seq}"))
        view.feed(
            an_event(seq, "progress", node="branch", run=f"{seq}", message="words " * 40, percent=seq % 100)
        )
        view.feed(
            an_event(seq, "message.delta", node="branch", run=f"{seq}", message_id="m", text="so " * 99)
        )
    for _ in range(9):
        view.feed(an_event(260, "task.resumed", value="x" * 300))
    return view


@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 3, 8, 12, 24, 80])
def test_a_picture_is_never_higher_than_the_terminal(width: int, height: int, waiting: bool) -> None:
    """Whatever there is to be shown; a bar is never wider than its line."""
    view = busy()
    if waiting:
        asked = [{"id": f"i{n}", "value": {"question": "why?\n" * 9, "options": [1, 2]}} for n in range(5)]
        view.feed(an_event(261, "task.interrupted", interrupts=asked))
    assert len(picture(view, width, height)) <= height
    for line in draw(view, Frame(Showing("t", "u"), width, height, 0), CONSOLE):
        assert line.cell_len <= width


def test_ended_nodes_are_folded_before_running_ones() -> None:
    """A line tells how many; the fan-out stays, and its oldest branches."""
    lines = picture(busy(), 80, 20)
    assert lines[2] == "… 53 more nodes, done"
    at = next(at for at, line in enumerate(lines) if line.startswith("● branch"))
    assert "0/200" in lines[at]
    assert "200 running" in lines[at]
    assert [line.strip()[:1] for line in lines[at + 1 : at + 4]] == ["└", "└", "b"]


def test_branches_say_what_they_do() -> None:
    """Each run that has said anything has a line of its own while it runs."""
    starts = [an_event(seq, "node.started", run=f"{seq}") for seq in range(1, 4)]
    said = [an_event(4, "progress", run="1", message="one"), an_event(5, "progress", run="2", percent=50)]
    view = fed(*starts, *said)
    assert [line.split()[-1] for line in picture(view)[3:]] == ["one", "50%"]
    view.feed(an_event(6, "node.completed", run="1"))
    assert "1/3" in picture(view)[2]
    assert len(picture(view)[3:]) == 1


def test_messages_are_told_apart_by_their_nodes() -> None:
    """Two nodes write at once; the last completed one stays when nobody writes."""
    view = fed(
        an_event(1, "message.delta", node="alice", run="a", message_id="1", text="Hel"),
        an_event(2, "message.delta", node="bob", run="b", message_id="2", text="Good "),
        an_event(3, "message.delta", node="alice", run="a", message_id="1", text="lo"),
    )
    assert picture(view)[-2:] == ["alice │ Hello", "bob   │ Good "]
    view.feed(an_event(4, "message.completed", node="alice", run="a", message_id="1", text="Hello."))
    assert picture(view)[-1] == "bob │ Good "
    view.feed(an_event(5, "message.completed", node="bob", run="b", message_id="2", text="Good day."))
    assert picture(view)[-1] == "bob │ Good day."


def test_a_message_whose_run_ended_is_not_waited_for() -> None:
    """A node that was cancelled in mid-sentence completes no message; those of others go on."""
    view = fed(
        an_event(1, "message.delta", node="alice", run="a", message_id="1", text="Hel"),
        an_event(2, "message.delta", node="bob", run="b", message_id="2", text="Good "),
        an_event(3, "node.failed", node="alice", run="a", message="cut off"),
    )
    assert picture(view)[3:] == ["bob │ Good "]


def test_a_question_comes_with_the_commands_that_answer_it() -> None:
    """One for each option, and `…` where none are offered; several questions are told apart by their ids."""
    asked = [{"id": "i1", "value": {"question": "Sure?", "options": ["yes"]}}, {"id": "i2", "value": "Why?"}]
    view = fed(an_event(1, "attempt.started", worker="w"), an_event(2, "task.interrupted", interrupts=asked))
    lines = picture(view)
    assert lines[1].startswith("? waiting")
    assert "? Sure?" in lines
    assert "? Why?" in lines
    assert """  taskreel resume the-task --interrupt i1 --value '"yes"'""" in lines
    assert """  taskreel resume the-task --interrupt i2 --value '"…"'""" in lines
    assert not any("taskreel resume" in line for line in picture(view, label="replay x1"))


def test_the_elapsed_time_goes_on_until_the_end() -> None:
    """It ticks with the clock while the task runs, and stands when it's over."""
    first = an_event(0, "attempt.started", worker="w")
    view, began = fed(first), 1_000_000_000_000
    assert "running  1 min 05 s" in picture(view, now=began + 65_000)[1]
    view.notice(Notice("connection.lost", {"url": "u", "reason": "gone", "retry_in": 1.0}))
    assert picture(view)[1].endswith("reconnecting…")
    view.feed(an_event(20, "task.cancelled"))
    assert "■ cancelled  2.0 s  2 events  0 nodes run  1 attempt" in picture(view, now=began + 65_000)[1]


def test_values_are_laid_out_for_people() -> None:
    """One line where it fits; texts keep their lines; control characters are spelled out."""
    assert pretty({"a": [1, None]}, 40) == ['{"a": [1, null]}']
    assert pretty({"letter": "Dear\nAda\x1b"}, 40) == ["letter:", "  Dear", r"  Ada\x1b"]
    assert pretty(list(range(20)), 30) == [
        "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9,",
        "10, 11, 12, 13, 14, 15, 16,",
        "17, 18, 19]",
    ]
    assert pretty([{"a": "x" * 30}, {}], 30) == ["- a:", '    "' + "x" * 25, '    xxxxx"', "- {}"]


def test_a_long_command_is_broken_where_a_shell_goes_on() -> None:
    """Before an option, never inside an answer that looks like one."""
    line = """taskreel resume x --value '"a --b"' --url u"""
    assert broken(line, 80) == [f"  {line}"]
    assert broken(line, 30) == ["  taskreel resume x \\", """    --value '"a --b"' \\""", "    --url u"]


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [(0.04, "0.0 s", "now"), (59.9, "59.9 s", "59s"), (185, "3 min 05 s", "3m"), (7500, "2 h 05 min", "2h")],
)
def test_times_are_told_in_words(seconds: float, long: str, short: str) -> None:
    """As long as it needs to be, and as short as a column wants it."""
    assert (span(seconds), age(seconds)) == (long, short)
