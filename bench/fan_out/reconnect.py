"""A pod's clients lose their connections all at once and come back, each 50 events behind the end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.contenders import Taskreel
from bench.fan_out.arena import Arena, Publisher, arena
from bench.figures import Figure, Finding, Series, at_most, median
from bench.measured import calls

CROWDS = ((1_000, 100), (10_000, 100), (1_000, 1_000), (10_000, 1_000))
"""Clients and tasks. The last is the one that must be quick; the others show what the commands grow with."""

QUICK_CROWDS = ((100, 100), (1_000, 100))
ROUNDS = 3
BEHIND = 50
PATIENCE_SECONDS = 60.0
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Return:
    """How one crowd came back.

    Attributes:
        seconds: from before the first connect until all had all.
        commands: that Redis was asked meanwhile, by anyone.
        wrong: events that were missing or came twice.
    """

    clients: int
    tasks: int
    seconds: float
    commands: int
    wrong: int


def measure(quick: bool) -> list[Finding]:
    """Each crowd, three times."""
    crowds = QUICK_CROWDS if quick else CROWDS
    found = {crowd: _returns(*crowd, 1 if quick else ROUNDS) for crowd in crowds}
    clients, tasks = crowds[-1]
    what = f"fan-out: {clients:,} clients come back to {tasks:,} tasks"
    all_of_them = [back for backs in found.values() for back in backs]
    seconds = [back.seconds for back in found[crowds[-1]]]
    wrong = sum(back.wrong for back in all_of_them)
    note = "rounds " + ", ".join(f"{number:.2f}" for number in seconds)
    return [
        Figure(f"{what}: all caught up", median(seconds), "s", at_most(6), note),
        Figure(f"{what}: missing or out of order", wrong, "events", at_most(0), "all rounds of all crowds"),
        *(_commands(backs) for backs in found.values()),
        _growth(found[crowds[-2]], found[crowds[-1]]),
        Series("reconnect", [_point(back) for back in all_of_them]),
    ]


def _returns(clients: int, tasks: int, rounds: int) -> list[_Return]:
    with arena(Taskreel()) as it, it.publisher(tasks) as publisher:
        publisher.publish(rate=2 * BEHIND * tasks, seconds=1, timed=False)
        time.sleep(SETTLE_SECONDS)
        return [_return(it, publisher, clients) for _ in range(rounds)]


def _return(it: Arena, publisher: Publisher, clients: int) -> _Return:
    with it.clients(clients, publisher.tasks, cursor=f"1-{publisher.last}") as crowd:
        crowd.wait_until_ready()
        time.sleep(SETTLE_SECONDS)
        crowd.kill()
    before, began = calls(it.valkey).total(), time.monotonic()
    cursor = f"1-{publisher.last - BEHIND}"
    last, most = publisher.last, PATIENCE_SECONDS
    with it.clients(
        clients, publisher.tasks, cursor=cursor, until=last, seconds=most, connecting=clients
    ) as crowd:
        crowd.wait_until_ready()
        received = crowd.wait_for_the_end()
        seconds = time.monotonic() - began
        commands = calls(it.valkey).total() - before
    wrong = abs(clients * BEHIND - received.deliveries) + received.disordered
    return _Return(clients, len(publisher.tasks), seconds, commands, wrong)


def _commands(backs: list[_Return]) -> Figure:
    value = median([back.commands for back in backs])
    what = f"fan-out: {backs[0].clients:,} clients come back to {backs[0].tasks:,} tasks: Redis commands"
    note = "rounds " + ", ".join(f"{back.commands:,}" for back in backs)
    return Figure(what, value, "commands", None, note)


def _growth(few: list[_Return], many: list[_Return]) -> Figure:
    ratio = median([back.commands for back in many]) / median([back.commands for back in few])
    what = f"fan-out: Redis commands of {many[0].clients:,} clients that come back, of {few[0].clients:,}'s"
    return Figure(what, ratio, "x", at_most(2), f"both on {few[0].tasks:,} tasks")


def _point(back: _Return) -> dict[str, float]:
    return {
        "clients": back.clients,
        "tasks": back.tasks,
        "seconds": back.seconds,
        "commands": back.commands,
    }
