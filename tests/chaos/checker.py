"""Judges a history: every promise is a rule, and what breaks it is a finding.

`python -m tests.chaos.checker FOLDER` reads a recorded history again; it ends with 1 when there are findings.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import execution_rules, run_rules
from tests.chaos.facts import Facts
from tests.chaos.history import RECORD, History, load
from tests.chaos.windows import TRAFFIC, Limits, nominal_times, touches


@dataclass(frozen=True)
class Finding:
    """A rule that was broken, by its name, and in words by what."""

    kind: str
    text: str


Rule = Callable[[Facts], Iterator[str]]
RULES: tuple[Rule, ...] = (
    run_rules.lost,
    run_rules.never_ended,
    run_rules.missed,
    run_rules.doubled,
    run_rules.unmatched,
    run_rules.final_left,
    run_rules.cancel_ignored,
    execution_rules.early,
    execution_rules.late,
    execution_rules.stood_still,
    execution_rules.unknown_execution,
    execution_rules.unledgered,
    execution_rules.stale_accepted,
    execution_rules.wrong_worker,
    execution_rules.attempt_twice,
    execution_rules.overlap,
    execution_rules.second_start,
    execution_rules.extra_starts,
    execution_rules.kills,
    execution_rules.over_slots,
)
"""A rule's name is the kind of its findings."""


def check(history: History, limits: Limits) -> list[Finding]:
    """All that is wrong with a history that has come to its end."""
    facts = Facts(history, limits)
    return [Finding(rule.__name__, text) for rule in RULES for text in rule(facts)]


def summary(history: History, limits: Limits = TRAFFIC) -> dict[str, Any]:
    """Plain figures; lateness, in seconds, is that of first starts."""
    facts = Facts(history, limits)
    healthy, in_faults = _latenesses(facts)
    return {
        "submissions_accepted": sum(each.status == 202 for each in history.submissions),
        "runs": len(facts.final),
        "targets": sum(len(nominal_times(plan, limits)) for plan in history.plans),
        "executions": len(history.starts),
        "extra_starts": len(history.starts) - len(facts.executions),
        "longest_lateness_healthy": max(healthy, default=0.0),
        "longest_lateness_in_faults": max(in_faults, default=0.0),
        "statuses": dict(sorted(Counter(run.status for run in facts.final.values()).items())),
    }


def _latenesses(facts: Facts) -> tuple[list[float], list[float]]:
    """Of runs that were due while all was well, and of the others."""
    healthy: list[float] = []
    in_faults: list[float] = []
    for run, executions in facts.known_executions:
        if run.id in facts.due:
            due = facts.due[run.id]
            until = due + facts.limits.healthy_seconds
            felt = any(touches(fault, due, until, facts.limits) for fault in facts.history.faults)
            (in_faults if felt else healthy).append(executions[0].start - due)
    return healthy, in_faults


def report(history: History, limits: Limits) -> tuple[str, bool]:
    """Figures and findings as text, and whether there are no findings."""
    findings = check(history, limits)
    figures = [f"{name}: {value}" for name, value in summary(history, limits).items()]
    return "\n".join([*figures, *(f"{each.kind}: {each.text}" for each in findings)]), not findings


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    if len(arguments) != 1 or not (Path(arguments[0]) / RECORD).exists():
        print(f"Usage: python -m tests.chaos.checker FOLDER, where FOLDER has a {RECORD}.", file=sys.stderr)
        return 2
    text, good = report(load(Path(arguments[0])), TRAFFIC)
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
