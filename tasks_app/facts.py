"""How runs have ended, as their children see it: what rules decide on, and what expressions are written with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks_app import expressions
from tasks_app.flow.plan import Parent, Step
from tasks_app.flow.rules import Outcome
from tasks_app.models import FINAL, TaskRun

COLUMNS = ("status", "reason", "result", "exit_code", "error", "params")
"""Of a run."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one parent."""

    outcome: Outcome
    said: Mapping[str, Any]
    """By the names that conditions use."""


def facts(values: Mapping[str, Any]) -> Facts:
    """Of a run with these `COLUMNS`."""
    over = values["status"] in FINAL
    return Facts(Outcome(values["status"]) if over else Outcome.OPEN, {name: values.get(name) for name in COLUMNS})


def facts_of(run: TaskRun) -> Facts:
    return facts({name: getattr(run, name) for name in COLUMNS})


def outcome(parent: Parent, known: Facts) -> Outcome:
    """How a child sees that its parent has ended; raises `ExpressionError`."""
    if not parent.when or known.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
        return known.outcome
    return Outcome.SUCCEEDED if expressions.evaluate(parent.when, known.said) else Outcome.SKIPPED


def inputs(step: Step, params: Mapping[str, Any], parents: Iterable[tuple[str, Facts]]) -> dict[str, Any]:
    """The parameters of a child: those of the flow, and what it takes from its parents; raises `ExpressionError`."""
    if not step.inputs:
        return dict(params)
    names = {"params": dict(params), "parents": {name: dict(known.said) for name, known in parents}}
    return {**params, **{name: expressions.evaluate(text, names) for name, text in step.inputs.items()}}
