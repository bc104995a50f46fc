"""`python -m bench`: run the benchmarks named, or all, and print one table."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import append, first_byte, idle, replay, report
from bench.figures import Figure

BENCHMARKS: dict[str, Callable[[bool], list[Figure]]] = {
    "first-byte": first_byte.measure,
    "idle": idle.measure,
    "replay": replay.measure,
    "append": append.measure,
}


def main(arguments: Sequence[str]) -> None:
    """Run and report. A bar that isn't met is shown, and is no error: machines differ."""
    wanted = _parser().parse_args(arguments)
    unknown = set(wanted.names) - BENCHMARKS.keys()
    if unknown:
        _parser().error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it started is ended
    load_before = os.getloadavg()
    figures: list[Figure] = []
    for name, measure in BENCHMARKS.items():
        if name in wanted.names or not wanted.names:
            print(f"{name} ...", flush=True)
            figures += measure(wanted.quick)
    facts = report.circumstances(arguments, load_before)
    report.show(facts, figures)
    if wanted.json is not None:
        report.write_json(wanted.json, facts, figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter: a look, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
