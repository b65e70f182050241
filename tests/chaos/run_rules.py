"""Rules about runs: what was asked for and what was due, against what the API shows. Each yields what breaks it."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.facts import FINAL, Facts, own_failures
from tests.chaos.history import Plan, Run
from tests.chaos.matching import Target, match
from tests.chaos.windows import complete_deadline, nominal_times


def lost(facts: Facts) -> Iterator[str]:
    """A submission answered 202 whose run the final read does not know."""
    for each in facts.history.submissions:
        if each.status == 202 and each.run not in facts.final:
            yield f"{each.task}: request {each.key} was accepted at {each.answered:.3f}; there is no run {each.run}."


def never_ended(facts: Facts) -> Iterator[str]:
    """A run that the final read shows in no final status."""
    for run in facts.final.values():
        if run.status not in FINAL:
            yield f"{run.task}: run {run.id} was still {run.status} at {run.seen:.3f}."


def missed(facts: Facts) -> Iterator[str]:
    """A nominal time of a task for which there is no run, or one skipped without a reason."""
    for plan in facts.history.plans:
        for time in nominal_times(plan, facts.limits):
            if all(run.status == "skipped" and not run.reason for run in _runs_at(facts, plan.task, time)):
                yield f"{plan.task}: its nominal time {time:.3f} has no run, nor a reason why not."


def _runs_at(facts: Facts, task: str, time: float) -> list[Run]:
    """The task's runs of one nominal time."""
    runs, same = facts.scheduled.get(task, []), facts.limits.same_seconds
    first = bisect_left(runs, time - same, key=lambda run: run.nominal)
    return [run for run in runs[first : first + 2] if run.nominal <= time + same]


def doubled(facts: Facts) -> Iterator[str]:
    """More than one run for one nominal time of a task, or for the requests of one key; or one run for two keys."""
    for task, runs in facts.scheduled.items():
        for one, other in pairwise(runs):
            if other.nominal - one.nominal <= facts.limits.same_seconds:
                yield f"{task}: runs {one.id} and {other.id} are both of its nominal time {one.nominal:.3f}."
    keys: dict[str, tuple[str, str]] = {}
    for (task, key), tries in facts.tries.items():
        ids = sorted({each.run for each in tries if each.run})
        if len(ids) > 1:
            yield f"{task}: requests {key} were answered with several runs: {', '.join(ids)}."
        for run in ids:
            if keys.setdefault(run, (task, key)) != (task, key):
                yield f"{task}: requests {key} were answered with run {run}, which is that of {keys[run][1]}."


def unmatched(facts: Facts) -> Iterator[str]:
    """A nominal time that no complete execution of the task stands for, and whose run does not say why.

    Only when an execution began counts, not the nominal time that the scheduler says it had. A target whose run is
    excused needs none, and takes none from another. One that has no run at all is `missed`.
    """
    for plan in facts.history.plans:
        starts = [
            execution.start
            for run in facts.scheduled.get(plan.task, [])
            for execution in facts.executions.get(run.id, [])
            if execution.end is not None
        ]
        for target in match(_targets(facts, plan), starts).unmatched:
            window = f"from {target.nominal:.3f} to {target.deadline:.3f}"
            yield f"{plan.task}: no complete execution that began {window} is left for run {target.name}."


def _targets(facts: Facts, plan: Plan) -> Iterator[Target]:
    """The nominal times that an execution must stand for; each carries the name of its run."""
    for time in nominal_times(plan, facts.limits):
        runs = _runs_at(facts, plan.task, time)
        if runs and not any(is_excused(run) for run in runs):
            failures = max(len(own_failures(run)) for run in runs)
            until = complete_deadline(time, failures, facts.history.faults, facts.limits)
            yield Target(time - facts.limits.early_seconds, until, runs[0].id)


def is_excused(run: Run) -> bool:
    """It ended otherwise than well, and says why."""
    return run.status in ("skipped", "cancelled", "failed") and run.reason != ""


def final_left(facts: Facts) -> Iterator[str]:
    """A run seen in a final status, and later in another, or with another reason or attempt."""
    ended: dict[str, Run] = {}
    for run in facts.history.runs:
        before = ended.get(run.id)
        if before and _outcome(run) != _outcome(before):
            yield f"{run.task}: run {run.id} was {_text(before)}, then {_text(run)}."
        if run.status in FINAL:
            ended[run.id] = run
        else:
            ended.pop(run.id, None)


def _outcome(run: Run) -> tuple[str, str, int]:
    return run.status, run.reason, run.attempt


def _text(run: Run) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    return f"{run.status}{reason} with attempt {run.attempt} at {run.seen:.3f}"


def cancel_ignored(facts: Facts) -> Iterator[str]:
    """A run whose cancellation was accepted, and that went on to its end, or was never shown as ended by it.

    What was lost with its worker, or had ended before, may have another status; only success says it was ignored.
    """
    for cancel in facts.history.cancels:
        run = facts.final.get(cancel.run)
        if cancel.status == 202 and (run is None or run.status not in ("cancelled", "failed")):
            yield f"Run {cancel.run} was to be cancelled at {cancel.answered:.3f}; it is {run and run.status}."
