"""What passes have shown, as a table that a person reads: `python -m tests.chaos.table FIGURES…` (`figures.jsonl`)."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HEAD = (
    "pass",
    "seed",
    "accepted",
    "nominal times",
    "starts besides the first",
    "healed after",
    "late, healthy / faults",
    "findings",
)

Line = dict[str, Any]
"""A line of `figures.jsonl` about a pass."""


def table(lines: Iterable[Line]) -> str:
    """In Markdown; the last row has the sums, and the longest of all."""
    lines = list(lines)
    rows = [_row(_title(line["wish"]), line["wish"]["seed"], [line]) for line in lines]
    if len(rows) > 1:
        rows.append(_row("in all", "", lines))
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (HEAD, ("---",) * len(HEAD), *rows))


def _title(wish: Line) -> str:
    what = " ".join(wish["faults"]) or "any fault"
    return f"{wish['database']} + {wish['broker']}: {what}{', mixed' * wish['mixed']}"


def _row(title: str, seed: object, lines: list[Line]) -> tuple[object, ...]:
    def total(name: str) -> str:
        return f"{sum(line[name] for line in lines):,}"

    def longest(name: str) -> str:
        return f"{max(line[name] for line in lines):.1f}"

    heals = [seconds for line in lines for seconds in line["heal_seconds"]]
    late = f"{longest('longest_lateness_healthy')} / {longest('longest_lateness_in_faults')} s"
    return (
        title,
        seed,
        *map(total, ("submissions_accepted", "targets", "extra_starts")),
        f"{max(heals, default=0.0):.1f} s",
        late,
        total("findings"),
    )


def main(files: list[str]) -> int:
    """The command; returns its exit code."""
    if not files:
        print("Usage: python -m tests.chaos.table FIGURES…, files named figures.jsonl.", file=sys.stderr)
        return 2
    lines = [json.loads(line) for file in files for line in Path(file).read_text().splitlines()]
    print(table(line for line in lines if "wish" in line))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
