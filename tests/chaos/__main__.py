"""`python -m tests.chaos`: run the scenarios named, or all, one after the other, and print one table."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from bench.report import circumstances
from tests.chaos import (
    blocked,
    cancels,
    cluster_failover,
    drains,
    partitions,
    pauses,
    pods,
    races,
    redis_away,
    replies,
    report,
    rolling,
    sentinel_failover,
    slot_migration,
    submits,
    workers,
)
from tests.chaos.outcome import NotHere, Outcome, Scenario
from tests.chaos.process import last_words

SCENARIOS: Mapping[str, Scenario] = {
    "workers": workers,
    "pauses": pauses,
    "blocked": blocked,
    "drains": drains,
    "races": races,
    "cancels": cancels,
    "replies": replies,
    "submits": submits,
    "pods": pods,
    "rolling": rolling,
    "redis_away": redis_away,
    "cluster_failover": cluster_failover,
    "sentinel_failover": sentinel_failover,
    "slot_migration": slot_migration,
    "partitions": partitions,
}

LIMIT_SECONDS = 1800.0
"""What a scenario may take; one that isn't done by then has failed."""


def main(arguments: Sequence[str]) -> int:
    """Run and report. Gives the exit status: 1 if anything failed."""
    wanted = _parser().parse_args(arguments)
    unknown = set(wanted.names) - SCENARIOS.keys()
    if unknown:
        _parser().error(f"no scenario {', '.join(sorted(unknown))}; there are: {', '.join(SCENARIOS)}")
    signal.signal(signal.SIGTERM, _interrupt)  # so that what it started is ended
    seed = random.SystemRandom().randrange(2**32) if wanted.seed is None else wanted.seed
    report.say(f"seed {seed}")
    load_before = os.getloadavg()
    outcomes = _run_all(wanted, seed)
    command = " ".join(["python -m tests.chaos", *arguments])
    facts = {**circumstances(arguments, load_before), "command": command, "seed": str(seed)}
    report.show(facts, outcomes)
    if wanted.json is not None:
        report.write_json(wanted.json, facts, outcomes)
    return int(any(outcome.failures for outcome in outcomes))


def _run_all(wanted: argparse.Namespace, seed: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name, scenario in SCENARIOS.items():
        if name in wanted.names or not wanted.names:
            report.say(f"{name} ...")
            rounds = wanted.rounds or (scenario.SHORT if wanted.short else scenario.ROUNDS)
            outcomes += asyncio.run(_run(name, scenario, rounds, seed))
    return outcomes


async def _run(name: str, scenario: Scenario, rounds: int, seed: int) -> list[Outcome]:
    """One scenario; if it breaks off, that is a failure too. The ends of its processes' logs say more."""
    began = time.monotonic()
    last_words.clear()
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            outcomes = await scenario.run(rounds, seed)
    except NotHere as error:
        report.say(f"{name} was not run: {error}")
        outcomes = []
    except Exception as error:
        report.say(traceback.format_exc())
        failure = f"broke off, seed {seed}: {type(error).__name__}: {error}"
        outcomes = [Outcome(name, rounds, time.monotonic() - began, {}, [failure])]
    if any(outcome.failures for outcome in outcomes):
        for who, words in last_words:
            report.say(f"--- {who} ---\n{words}")
    return outcomes


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.raise_signal(signal.SIGINT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--seed", type=int, metavar="N", help="of all that is random; default: a new one")
    parser.add_argument("--short", action="store_true", help="the short form, about 10 s a scenario")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each scenario; default: its own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there as well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
