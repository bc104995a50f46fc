"""What `tail` and `replay` show, without a process: views, paces, text made safe."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator
from math import inf
from typing import Any

import pytest
from rich.console import Console

from cli.live import LiveScreen
from cli.replay import Playback, read_speed
from cli.showing import Showing
from cli.text import clean, json_line
from cli.view import View
from cli.wire import Event, Notice
from events.model import timestamp
from tests.support.terminal import EVIL, last_picture


def an_event(seq: int, kind: str, *, attempt: int = 1, node: str = "n", run: str = "r", **data: Any) -> Event:
    """An event as the log has it."""
    at = timestamp(1_000_000_000_000 + seq * 100)
    return {"seq": seq, "attempt": attempt, "type": kind, "ts": at, "node": node, "run": run, "data": data}


async def played(
    speed: float, longest_pause: float, *stamps: int, printing: float = 0.0
) -> tuple[list[float], list[int]]:
    """The waits between events with such times, in seconds, and how far playback says it is at each."""
    now, waits, places = 100.0, list[float](), list[int]()

    async def events() -> AsyncGenerator[Event]:
        for ms in stamps:
            yield {"ts": timestamp(5000 + ms)}

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(round(seconds, 6))
        now += seconds + printing

    playback = Playback(speed, longest_pause, clock=lambda: now, sleep=sleep)
    async for _ in playback.play(events()):
        places.append(playback.now() - 5000)
    return waits, places


async def test_events_are_played_on_the_schedule_of_the_first() -> None:
    """Waits come from one schedule, so that neither slow printing nor clocks that differ add up."""
    waits, places = await played(2, inf, 0, 1000, 400, 2000, printing=0.1)
    assert waits == [0.5, 0.4]
    assert places == [0, 1000, 1000, 2000]


async def test_long_pauses_can_be_cut() -> None:
    """An hour takes two seconds, and what comes after it keeps its own time."""
    assert (await played(1, 2, 0, 500, 3_600_500, 3_601_500))[0] == [0.5, 2, 1]
    assert (await played(10, 2, 0, 10_000, 3_600_000))[0] == [1, 2]
    assert await played(inf, 2, 0, 3_600_000) == ([], [0, 3_600_000])


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
    view.feed(an_event(5, "message.delta", run="b", message_id="m", text="Hel"))
    assert view.nodes["n"].completed == pytest.approx(1 / 3)
    assert [message.text for message in view.messages.shown] == ["Hel"]
    view.feed(an_event(6, "attempt.started", attempt=2, worker="w2", supersedes=[2, 3]))
    assert view.nodes["n"].completed == 1
    view.feed(an_event(7, "node.started", attempt=2, run="b"))
    view.feed(an_event(8, "message.delta", attempt=2, run="b", message_id="m", text="Hello"))
    assert view.nodes["n"].completed == 0.5
    assert [message.text for message in view.messages.shown] == ["Hello"]
    assert view.notes == ["attempt 2 by w2, doing 2 events again"]
    view.feed(an_event(9, "task.failed", attempt=2, code="timeout", message="too slow"))
    assert (view.status, view.attempt, view.events, view.seconds(0)) == ("failed", 2, 9, 0.8)


def test_a_series_of_failed_connections_is_one_note() -> None:
    """Two minutes of a pod's restart leave the attempt's note where it is."""
    view = View()
    view.feed(an_event(2, "attempt.started", attempt=2, worker="w", supersedes=[1]))
    for _ in range(9):
        view.notice(Notice("connection.lost", {"url": "u", "reason": "refused", "retry_in": 1.0}))
    assert view.lost
    view.notice(Notice("connection.back", {"url": "u", "cursor": "2-2"}))
    assert view.notes == [
        "attempt 2 by w, doing 1 event again",
        "lost u: refused; trying again in 1.0 s (try 9)",
        "connected to u, going on after 2-2",
    ]
    assert (view.lost, view.reconnects) == (False, 1)
    view.notice(Notice("stream.rewound", {"requested": "2-2", "last": "0-1"}))
    assert view.events == 0


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
    with LiveScreen(console, Showing(EVIL, "u")) as shown:
        shown.event(an_event(1, "node.started", node=EVIL))
        shown.event(an_event(2, "progress", node=EVIL, message=EVIL))
        shown.event(an_event(3, "message.delta", message_id="m", text=f"one\n{EVIL}"))
        shown.notice(Notice("connection.lost", {"url": "u", "reason": EVIL, "retry_in": 1.0}))
    picture = last_picture(out.getvalue())
    assert picture.count(r"\x1b[31mEve\x9b2J\u202e[bold]\x07") == 6
    assert not set("\x1b\x07\u009b\u202e") & set(picture)


def test_text_is_made_safe() -> None:
    """Escapes spell what was there; JSON stays JSON; letters, emoji and their joiners stay as they are."""
    assert clean("a\r\nb\ud800") == r"a\r\nb\ud800"
    assert clean("a\nb\t", keep="\n") == "a\nb\\t"
    assert clean("é 👩‍🔧 日本") == "é 👩‍🔧 日本"
    assert json_line({"a": EVIL}).isprintable()
    assert json.loads(json_line({"a": EVIL})) == {"a": EVIL}
