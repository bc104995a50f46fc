"""What `tail` and `replay` show, without a process: views, paces, text made safe."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from rich.console import Console

from cli.live import LiveScreen
from cli.replay import paced, read_speed
from cli.text import clean, json_line
from cli.view import View
from cli.wire import Event, Notice
from events.model import timestamp
from tests.support.terminal import EVIL, last_picture


def an_event(seq: int, kind: str, *, attempt: int = 1, node: str = "n", run: str = "r", **data: Any) -> Event:
    """An event as the log has it."""
    at = timestamp(1_000_000_000_000 + seq * 100)
    return {"seq": seq, "attempt": attempt, "type": kind, "ts": at, "node": node, "run": run, "data": data}


async def test_paced_events_keep_to_the_schedule_of_the_first() -> None:
    """Waits come from one schedule, so that neither slow printing nor clocks that differ add up."""
    now, waits = 100.0, list[float]()

    async def events() -> AsyncGenerator[Event]:
        for ms in (0, 1000, 400, 2000):
            yield {"ts": timestamp(5000 + ms)}

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(round(seconds, 6))
        now += seconds + 0.1

    async for _ in paced(events(), 2, clock=lambda: now, sleep=sleep):
        pass
    assert waits == [0.5, 0.4]


@pytest.mark.parametrize(
    ("text", "speed"), [("1", 1), ("10", 10), ("0.5", 0.5), ("2x", 2), ("max", float("inf"))]
)
def test_speeds(text: str, speed: float) -> None:
    """Any positive number, or max."""
    assert read_speed(text) == speed


def test_a_view_counts_runs_and_forgets_what_is_done_again() -> None:
    """Parallel runs of a node share a bar; a new attempt begins its unfinished ones anew."""
    view = View()
    for seq, run in enumerate("abc", 1):
        view.feed(an_event(seq, "node.started", run=run))
    view.feed(an_event(4, "node.completed", run="a"))
    view.feed(an_event(5, "message.delta", message_id="m", text="Hel"))
    assert view.nodes["n"].completed == pytest.approx(1 / 3)
    view.feed(an_event(6, "attempt.started", attempt=2, worker="w2", supersedes=[2, 3]))
    assert view.nodes["n"].completed == 1
    view.feed(an_event(7, "node.started", attempt=2, run="b"))
    view.feed(an_event(8, "message.delta", attempt=2, message_id="m", text="Hello"))
    assert (view.nodes["n"].completed, view.text) == (0.5, "Hello")
    assert view.notes == ["attempt 2 by w2, doing 2 events again"]
    view.feed(an_event(9, "task.failed", attempt=2, code="timeout", message="too slow"))
    assert (view.status, view.attempt, view.events, view.seconds) == ("failed", 2, 9, 0.8)


@pytest.mark.parametrize(
    ("data", "fraction"),
    [
        ({"percent": 40}, 0.4),
        ({"current": 1, "total": 4}, 0.25),
        ({"current": 9, "total": 4}, 1.0),
        ({"percent": -3}, 0.0),
        ({"current": 1, "total": 0}, None),
        ({"current": "1", "total": [2]}, None),
        ({"percent": True}, None),
        ({"message": 5}, None),
    ],
)
def test_progress_may_hold_anything(data: dict[str, Any], fraction: float | None) -> None:
    """What a graph writes is its author's; a bar shows what it understands."""
    view = View()
    view.feed(an_event(1, "node.started"))
    view.feed(an_event(2, "progress", **data))
    assert view.nodes["n"].completed == fraction


async def test_a_live_screen_writes_no_control_character_of_an_event() -> None:
    """Whatever place of an event hostile text stands in."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=200, height=50)
    with LiveScreen(console, EVIL) as shown:
        shown.event(an_event(1, "node.started", node=EVIL))
        shown.event(an_event(2, "progress", node=EVIL, message=EVIL))
        shown.event(an_event(3, "message.delta", message_id="m", text=f"one\n{EVIL}"))
        shown.notice(Notice("connection.lost", {"url": "u", "reason": EVIL, "retry_in": 1.0}))
    picture = last_picture(out.getvalue())
    assert picture.count(r"\x1b[31mEve\x9b2J\u202e[bold]\x07") == 5
    assert not set("\x1b\x07\u009b\u202e") & set(picture)


def test_text_is_made_safe() -> None:
    """Escapes spell what was there; JSON stays JSON; letters, emoji and their joiners stay as they are."""
    assert clean("a\r\nb\ud800") == r"a\r\nb\ud800"
    assert clean("a\nb\t", keep="\n") == "a\nb\\t"
    assert clean("é 👩‍🔧 日本") == "é 👩‍🔧 日本"
    assert json_line({"a": EVIL}).isprintable()
    assert json.loads(json_line({"a": EVIL})) == {"a": EVIL}
