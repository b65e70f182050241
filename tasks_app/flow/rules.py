"""When a run may start whose task depends on others: parents' outcomes and a rule in, a verdict out. Pure.

| rule | runs | is skipped |
|---|---|---|
| `all_success` | when all parents have succeeded | as soon as one has ended otherwise |
| `all_done` | when all have ended, however | never |
| `any_success` | as soon as one has succeeded | when all have ended and none has succeeded |
| `any_failed` | as soon as one has failed | when all have ended and none has failed |
| `none_failed` | when all have ended, none failed or cancelled, and one succeeded | as soon as one failed or was \
cancelled, or when all were skipped |
"""

from collections.abc import Sequence
from enum import StrEnum


class Outcome(StrEnum):
    """Of a parent, as its child sees it."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class Rule(StrEnum):
    ALL_SUCCESS = "all_success"
    ALL_DONE = "all_done"
    ANY_SUCCESS = "any_success"
    ANY_FAILED = "any_failed"
    NONE_FAILED = "none_failed"


class Verdict(StrEnum):
    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"


def decide(rule: Rule, parents: Sequence[Outcome]) -> Verdict:
    """What becomes of a run whose parents have ended as `parents` says. Without parents it runs."""
    if not parents:
        return Verdict.RUN
    seen = set(parents)
    over = Outcome.OPEN not in seen
    run, skip = _decisive(rule, seen, over=over)
    if run:
        return Verdict.RUN
    return Verdict.SKIP if skip or over else Verdict.WAIT


def _decisive(rule: Rule, seen: set[Outcome], *, over: bool) -> tuple[bool, bool]:
    """Whether it is sure that the run starts, or that it does not."""
    bad = bool(seen & {Outcome.FAILED, Outcome.CANCELLED})
    match rule:
        case Rule.ALL_SUCCESS:
            return seen == {Outcome.SUCCEEDED}, bool(seen - {Outcome.SUCCEEDED, Outcome.OPEN})
        case Rule.ALL_DONE:
            return over, False
        case Rule.ANY_SUCCESS:
            return Outcome.SUCCEEDED in seen, False
        case Rule.ANY_FAILED:
            return Outcome.FAILED in seen, False
        case Rule.NONE_FAILED:
            return over and not bad and Outcome.SUCCEEDED in seen, bad
