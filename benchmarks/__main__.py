"""`python -m benchmarks`: measures, prints a table, and fails if a figure is below what it must be."""

import argparse
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import plan, report
from benchmarks.session import Session
from benchmarks.size import FULL, QUICK, Size
from benchmarks.stack import ROOT

BROKERS = sorted({broker for brokers in FULL.matrix.values() for broker in brokers})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything once, in under two minutes")
    parser.add_argument("--only", default=",".join(plan.NAMES), help="some of " + ",".join(plan.NAMES))
    parser.add_argument("--rounds", type=int, help="of throughput, baseline and latency")
    parser.add_argument("--workers", type=int, help="worker processes, where it is not one that is measured")
    parser.add_argument("--output", type=Path, default=report.FOLDER / "latest.json")
    parser.add_argument("--broker", action="append", choices=BROKERS, default=[], help="may be given several times")
    parser.add_argument("--database", action="append", choices=list(FULL.matrix), default=[])
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := set(given.only) - set(plan.NAMES):
        parser.error(f"--only: unknown: {', '.join(sorted(unknown))}")
    return given


def size_of(given: argparse.Namespace) -> Size:
    size = QUICK if given.quick else FULL
    if given.broker:
        size = replace(size, matrix=FULL.matrix)
    if given.rounds:
        size = replace(size, rounds=given.rounds, http_rounds=given.rounds, latency_rounds=given.rounds)
    return replace(size, workers=given.workers) if given.workers else size


def main() -> int:
    given = arguments()
    given.output = given.output.absolute()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    size = size_of(given)
    # On the disk that holds the project: /tmp may be memory, where a commit costs nothing.
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "var") as folder:
        session = Session(size, given.only, plan.stacks(size, given.database, given.broker), Path(folder), tell)
        try:
            session.run()
        except KeyboardInterrupt:
            tell("Interrupted; everything is stopped.")
            return 130
    return finish(session.results, given.output, tell)


def finish(results: dict[str, Any], path: Path, tell: Any) -> int:
    print(report.write(results, path))
    tell(f"Written: {path} and {path.with_suffix('.md').name}")
    if results["missed"]:
        tell("Missed: " + "; ".join(results["missed"]))
    return 1 if results["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
