"""Which moment is shown: live, standing, playing; with the clock in the test's hands."""

from __future__ import annotations

from typing import Any

from tests.support.browser import Tabs

SCRIPT = """async () => {
  const { Player } = await import("/console/timeline/player.js");
  const { Timeline } = await import("/console/timeline/timeline.js");
  const START = Date.parse("2026-11-21T00:00:00.000Z");
  const event = (seq, at, type = "progress", data = {}) => ({
    seq, attempt: seq > 1 ? 1 : 0, type, ts: new Date(START + at).toISOString(), data,
  });
  const timeline = new Timeline();
  const push = (...given) => timeline.push(event(...given));
  push(1, 0, "task.submitted");
  push(2, 500, "attempt.started", { worker: "w", supersedes: [] });
  push(3, 1500);
  push(4, 4500);
  const clock = { page: 0, server: START + 4500 };
  const player = new Player(timeline, { now: () => clock.page, serverNow: () => clock.server });
  const seen = () => {
    const { at, time, live, elapsed } = player.moment();
    if (elapsed < time) throw new Error(`${elapsed} ms have passed, ${time} are shown`);
    return [player.mode, at, time, live];
  };
  const pass = (ms) => { clock.page += ms; clock.server += ms; return seen(); };
  const seal = () => push(5, 6500, "task.succeeded", { result: 1 });
  return (USE)({ player, timeline, clock, seen, pass, push, seal, START });
}"""
"""Runs the test's function, which takes USE's place, on a task of four events at 0, 0.5, 1.5 and 4.5 s."""


CASES: list[tuple[str, Any]] = [
    ("({ pass }) => [pass(0), pass(700)]", [["live", 3, 4500, True], ["live", 3, 5200, True]]),
    ("({ seal, pass }) => { seal(); return pass(9000); }", ["live", 4, 6500, True]),
    ("({ player, seen }) => { player.seek(1); return seen(); }", ["paused", 1, 500, False]),
    ("({ player, seen }) => { player.seek(1, 900); return seen(); }", ["paused", 1, 900, False]),
    ("({ player, seen }) => { player.seek(99); return seen(); }", ["paused", 3, 4500, False]),
    ("({ player, seen }) => { player.seekTime(1499); return seen(); }", ["paused", 1, 1499, False]),
    ("({ player, seen }) => { player.seekTime(1e9); return seen(); }", ["paused", 3, 4500, False]),
    ("({ player, seen }) => { player.step(-1); return seen(); }", ["paused", 2, 1500, False]),
    ("({ player, seen }) => { player.step(-9); return seen(); }", ["paused", 0, 0, False]),
    (
        "({ player, pass }) => { player.seek(0); player.play(); return [pass(499), pass(1), pass(1200)]; }",
        [["playing", 0, 499, False], ["playing", 1, 500, False], ["playing", 2, 1700, False]],
    ),
    (
        "({ player, pass }) => { player.seek(0); player.setSpeed(10); player.play(); return pass(100); }",
        ["playing", 1, 1000, False],
    ),
    (
        "({ player, pass }) => { player.seek(0); player.play(); pass(100); player.setSpeed(5);"
        " return pass(100); }",
        ["playing", 1, 600, False],
    ),
    (
        "({ player, pass }) => { player.seek(0); player.play(); pass(300); player.pause();"
        " return pass(1000); }",
        ["paused", 0, 300, False],
    ),
    ("({ player, pass }) => { player.seek(2); player.play(); return pass(3500); }", ["live", 3, 8000, True]),
    (
        "({ player, pass, seal }) => { seal(); player.seek(2); player.play(); return pass(9000); }",
        ["paused", 4, 6500, False],
    ),
    (
        "({ player, pass, seal }) => { seal(); player.play(); return pass(10); }",
        ["playing", 0, 10, False],
    ),
    ("({ player, seen }) => { player.seek(0); player.goLive(); return seen(); }", ["live", 3, 4500, True]),
    (
        "({ push, clock, pass, START }) => { push(5, 4600, 'task.interrupted', { interrupts: [] });"
        " clock.server = START + 60000; return pass(0); }",
        ["live", 4, 6600, True],
    ),
    (
        "({ push, player, clock, START }) => { push(5, 4600, 'task.interrupted', { interrupts: [] });"
        " clock.server = START + 60000; const live = player.moment().elapsed; push(6, 60100);"
        " player.seek(5); return [live, player.moment().elapsed, player.moment().time]; }",
        [60000, 60100, 6600],
    ),
    (
        "({ player, timeline, seen }) => { player.seek(3); player.replace(timeline.upTo('1-2'));"
        " return seen(); }",
        ["paused", 1, 500, False],
    ),
]


async def test_moments(tabs: Tabs) -> None:
    """Each is what a tape machine would show: the event that had come, and the time."""
    page = await tabs.open("/")
    found = [await page.evaluate(SCRIPT.replace("USE", use)) for use, _ in CASES]
    assert found == [wanted for _, wanted in CASES]
