"""`python -m bench`: run the benchmarks named, or all, and print the tables. `python -m bench plot`: draw."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import append, console, first_byte, idle, load, plot, replay, report, sizing, tenants
from bench.fan_out import compared, growth, many_tasks, reconnect, resets, rising, slow
from bench.fan_out import idle as idle_clients
from bench.figures import Finding
from bench.scaling import commands, deliveries, events, shared
from bench.scaling import tasks as scaled_tasks

FAN_OUT, SCALING = "fan-out", "scaling"
LOADED = (FAN_OUT, SCALING)
"""Which need the load generator."""

BENCHMARKS: dict[str, Callable[[bool], Sequence[Finding]]] = {
    "first-byte": first_byte.measure,
    "idle": idle.measure,
    "replay": replay.measure,
    "append": append.measure,
    "sizing": sizing.measure,
    "console": console.measure,
    "tenants": tenants.measure,
    f"{FAN_OUT}.compared": compared.measure,
    f"{FAN_OUT}.rising": rising.measure,
    f"{FAN_OUT}.many-tasks": many_tasks.measure,
    f"{FAN_OUT}.idle": idle_clients.measure,
    f"{FAN_OUT}.reconnect": reconnect.measure,
    f"{FAN_OUT}.slow": slow.measure,
    f"{FAN_OUT}.resets": resets.measure,
    f"{FAN_OUT}.growth": growth.measure,
    f"{SCALING}.deliveries": deliveries.measure,
    f"{SCALING}.commands": commands.measure,
    f"{SCALING}.events": events.measure,
    f"{SCALING}.tasks": scaled_tasks.measure,
    f"{SCALING}.shared": shared.measure,
}


def main(arguments: Sequence[str]) -> None:
    """Run and report. A bar that isn't met is shown, and is no error: machines differ."""
    if arguments[:1] == ["plot"]:
        return plot.main(arguments[1:])
    wanted = _parser().parse_args(arguments)
    names = _chosen(wanted.names)
    for path in (wanted.json, wanted.markdown):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)  # better now than when all is measured
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it started is ended
    load_before = os.getloadavg()
    findings: list[Finding] = []
    for name in names:
        print(f"{name} ...", end=" ", flush=True)
        began = time.monotonic()
        findings += BENCHMARKS[name](wanted.quick)
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    facts = report.circumstances(arguments, load_before)
    report.show(facts, findings)
    if wanted.json is not None:
        report.write_json(wanted.json, facts, findings)
    if wanted.markdown is not None:
        report.write_markdown(wanted.markdown, facts, findings)
    return None


def _chosen(names: Sequence[str]) -> list[str]:
    """The benchmarks of those names, in their own order; a name stands for all whose names it begins."""
    known = {*BENCHMARKS, *(name.partition(".")[0] for name in BENCHMARKS)}
    if unknown := set(names) - known:
        _parser().error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    chosen = [name for name in BENCHMARKS if not names or {name, name.partition(".")[0]} & set(names)]
    if (lack := load.missing()) and (lacking := [name for name in chosen if name.startswith(LOADED)]):
        if names:
            _parser().error(f"{', '.join(lacking)}: {lack}")
        print(f"{' and '.join(LOADED)} are left out: {lack}")
        chosen = [name for name in chosen if name not in lacking]
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = f"{' or '.join(LOADED)} for all of its parts, or of {', '.join(BENCHMARKS)}; default: all"
    parser.add_argument("names", nargs="*", metavar="NAME", help=known)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter: a look, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there, for `plot`")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there as well")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
