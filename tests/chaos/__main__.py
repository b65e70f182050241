"""`make chaos`: the proof that nothing is lost or doubled, and how soon it heals; `--help` says how to have it."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.chaos import faults
from tests.chaos.measures.registry import MEASURES
from tests.chaos.measures.run import take
from tests.chaos.nemesis import Pace, Verdict, Wish, run
from tests.chaos.plants.bugs import ORDERS, PROVOKED_BY, SEEN_AS
from tests.chaos.table import table
from tests.chaos.traffic import ORDER

BROKERS = ("streams", "lists", "rabbitmq")
CLASS_SECONDS, MIXED_SECONDS, PLANTED_SECONDS = 180.0, 600.0, 55.0
BRISK = Pace(calm=8.0, heal=30.0, quiet=35.0)
"""Of passes that have to show one thing only."""
SEEDS = 5
ROOMY = "/var/tmp"
"""Where others' programs may reach their files, and there is room."""


def main() -> int:
    """Carry out the passes that were asked for; 0 when none has a finding."""
    options = _options()
    # Told to end, it ends all it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(options.folder or tempfile.mkdtemp(prefix="scheduler-chaos-", dir=ROOMY))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    if options.measures is not None:
        with (folder / "figures.jsonl").open("a") as figures:
            return take(options.measures, options.brokers or ["streams"], options.scale, folder, figures)
    return _passes(options, folder)


def _passes(options: argparse.Namespace, folder: Path) -> int:
    options.brokers = options.brokers or list(BROKERS)
    wishes = _wishes(options)
    print(f"{len(wishes)} passes, {sum(wish.seconds for wish in wishes) / 60:.0f} min and some; histories in {folder}")
    failed, lines = 0, []
    with (folder / "figures.jsonl").open("a") as figures:
        for number, wish in enumerate(wishes, 1):
            print(f"{number}/{len(wishes)} {_title(wish)}", flush=True)
            verdict = _pass(wish, folder / f"{number:03}")
            lines.append({"wish": asdict(wish), "findings": len(verdict.findings), **verdict.figures})
            print(json.dumps(lines[-1]), file=figures, flush=True)
            failed += not _found(wish.plant, verdict) if wish.plant else bool(verdict.findings)
    print(table(lines))
    if options.planted and not options.control:
        print(f"{len(wishes) - failed} of {len(wishes)} planted bugs were found.")
    elif failed:
        print(f"{failed} of {len(wishes)} passes have findings. Read one again: python -m tests.chaos.checker FOLDER")
    return min(failed, 1)


def _found(plant: str, verdict: Verdict) -> bool:
    """Whether a planted bug was found as what it is: other findings may have other causes, such as a busy machine."""
    return any(finding.kind in SEEN_AS[plant] for finding in verdict.findings)


def _pass(wish: Wish, folder: Path) -> Verdict:
    begun = time.monotonic()
    verdict = run(wish, folder, lambda text: print(text, flush=True))
    for finding in verdict.findings[:20]:
        print(f"  {finding.kind}: {finding.text}")
    print(
        f"  {len(verdict.findings)} findings; {json.dumps(verdict.figures)}; {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    if not verdict.findings or wish.plant:
        shutil.rmtree(folder / "world", ignore_errors=True)
    return verdict


def _title(wish: Wish) -> str:
    what = " ".join(wish.faults) or "any fault"
    how = f"{', mixed' if wish.mixed else ''}{f', planted: {wish.plant}' if wish.plant else ''}"
    return f"{wish.database} + {wish.broker}: {what}{how}; {wish.seconds:g} s, seed {wish.seed}"


def _wishes(options: argparse.Namespace) -> list[Wish]:
    if options.planted:
        return [_planted(options, plant) for plant in options.plants or PROVOKED_BY]
    common = {"database": options.database, "seed": options.seed}
    if options.mixed:
        seconds = options.seconds or MIXED_SECONDS
        return [
            Wish(
                broker, mixed=True, faults=tuple(options.faults), seconds=seconds, **common | {"seed": options.seed + n}
            )
            for broker in options.brokers
            for n in range(options.mixed)
        ]
    seconds = options.seconds or CLASS_SECONDS
    names = options.faults or faults.possible(options.database)
    return [Wish(broker, faults=(name,), seconds=seconds, **common) for broker in options.brokers for name in names]


def _planted(options: argparse.Namespace, plant: str) -> Wish:
    return Wish(
        options.brokers[0],
        faults=(PROVOKED_BY[plant],),
        seconds=options.seconds or PLANTED_SECONDS,
        seed=options.seed,
        plant="" if options.control else plant,
        order=ORDERS.get(plant, ORDER),
        pace=BRISK,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument(
        "--brokers",
        nargs="+",
        choices=BROKERS,
        metavar="NAME",
        help=f"of {', '.join(BROKERS)}: all unless named, and for measures streams",
    )
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument(
        "--faults", nargs="+", choices=list(faults.FAULTS), default=[], metavar="NAME", help="all unless named"
    )
    parser.add_argument(
        "--mixed", type=int, default=0, metavar="N", help="N passes of faults in any order, two at a time"
    )
    parser.add_argument("--planted", action="store_true", help="see that twelve planted bugs are found, each by itself")
    parser.add_argument("--plants", nargs="+", choices=list(PROVOKED_BY), default=[], metavar="NAME", help="only these")
    parser.add_argument("--control", action="store_true", help="the same passes without the bugs: nothing may be found")
    parser.add_argument(
        "--measures",
        nargs="*",
        choices=list(MEASURES),
        metavar="NAME",
        help=f"measure how fast it heals instead, on PostgreSQL: {', '.join(MEASURES)}; all unless named, but for "
        f"those that take long ({', '.join(each.name for each in MEASURES.values() if each.only_named)})",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="a factor on what measures count and how long they take"
    )
    parser.add_argument(
        "--seconds", type=float, help=f"of each pass (default {CLASS_SECONDS:g}, mixed {MIXED_SECONDS:g})"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first pass; the same seed has the same faults")
    parser.add_argument("--folder", help="where the histories stay (default: a new one in /var/tmp)")
    options = parser.parse_args()
    if impossible := set(options.faults) - set(faults.possible(options.database)):
        parser.error(f"--faults: not to be had here with {options.database}: {', '.join(sorted(impossible))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
