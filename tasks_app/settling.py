"""What becomes of the steps of a flow whose parents have ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tasks_app import transitions
from tasks_app.expressions import ExpressionError
from tasks_app.facts import COLUMNS, Facts, facts, inputs, outcome
from tasks_app.flow.plan import Step
from tasks_app.flow.rules import Verdict, decide
from tasks_app.models import DEPENDENCY, FlowRun, TaskRun


def settle(running: list[FlowRun], asked: dict[UUID, set[int]], now: datetime) -> None:
    """Decide on the steps that are `asked` for, by flow, as far as they still wait; callers hold a transaction."""
    waiting = _waiting(running, asked)
    if not waiting:
        return
    wanted = {
        flow.pk: {parent.step for step in waiting.get(flow.pk, ()) for parent in flow.steps.steps[step].parents}
        for flow in running
    }
    ends = _ends(running, wanted)
    verdicts = _Verdicts()
    for flow in running:
        for step, run in waiting.get(flow.pk, {}).items():
            _decide(flow, step, run, ends[flow.pk], verdicts)
    verdicts.carry_out(now)


def _waiting(running: list[FlowRun], asked: dict[UUID, set[int]]) -> dict[UUID, dict[int, UUID]]:
    """The runs that wait, by flow and step."""
    steps = {step for those in asked.values() for step in those}
    runs = TaskRun.objects.filter(flow__in=running, step__in=steps, status="pending", gate=DEPENDENCY)
    found: dict[UUID, dict[int, UUID]] = defaultdict(dict)
    for pk, flow, step in runs.values_list("pk", "flow", "step"):
        if flow and step is not None and step in asked.get(flow, ()):
            found[flow][step] = pk
    return found


def _ends(running: list[FlowRun], wanted: dict[UUID, set[int]]) -> dict[UUID, dict[int, Facts]]:
    """How the steps that are `wanted` have ended, by flow and step; what an earlier flow has done counts too."""
    found: dict[UUID, dict[int, Facts]] = {
        flow.pk: {step: facts(given) for step in wanted[flow.pk] if (given := flow.given_step(step))}
        for flow in running
    }
    steps = {step for those in wanted.values() for step in those}
    for values in TaskRun.objects.filter(flow__in=running, step__in=steps).values("flow", "step", *COLUMNS):
        found[values["flow"]][values["step"]] = facts(values)
    return found


def _decide(flow: FlowRun, number: int, run: UUID, ends: dict[int, Facts], verdicts: _Verdicts) -> None:
    step = flow.steps.steps[number]
    try:
        outcomes = [outcome(parent, ends[parent.step]) for parent in step.parents]
        match decide(step.rule, outcomes):
            case Verdict.RUN:
                parents = [(flow.steps.steps[parent.step].name, ends[parent.step]) for parent in step.parents]
                verdicts.go[run] = inputs(step, flow.params, parents)
            case Verdict.SKIP:
                verdicts.skip[run] = _why(flow, step, outcomes)
    except ExpressionError as error:
        verdicts.broken[run] = str(error)


def _why(flow: FlowRun, step: Step, outcomes: Iterable[str]) -> str:
    """What its parents have ended like."""
    steps = flow.steps.steps
    told = [
        f"{steps[parent.step].name} {outcome}"
        for parent, outcome in zip(step.parents, outcomes, strict=True)
        if outcome != "succeeded"
    ]
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    return f"It runs on {step.rule}: {', '.join(told[:5]) or 'all succeeded'}{more}."


@dataclass
class _Verdicts:
    """What becomes of runs that waited."""

    go: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    """By their parameters."""
    skip: dict[UUID, str] = field(default_factory=dict)
    """By what explains it."""
    broken: dict[UUID, str] = field(default_factory=dict)
    """Those of which an expression cannot be evaluated."""

    def carry_out(self, now: datetime) -> None:
        transitions.go_on(self.go, now)
        transitions.pass_over(self.skip, "upstream", now)
        transitions.pass_over(self.broken, "expression", now)
