"""What people do to flows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from tasks_app import actions, flows, outbox, settling, transitions
from tasks_app.actions import NotPossible
from tasks_app.facts import COLUMNS
from tasks_app.models import FINAL, FlowRun, Task, TaskRun
from tasks_app.sql import insert

BAD = ("failed", "cancelled", "skipped")


def cancel(flow: FlowRun, now: datetime, *, reason: str = "cancelled") -> None:
    """Cancel all open runs of a flow, which ends with the last of them; raises `NotPossible` if it is over.

    `reason`: why it ends, in the flow.
    """
    with transaction.atomic():
        if not FlowRun.objects.filter(pk=flow.pk, status="running").update(reason=reason):
            raise NotPossible("The flow is over already.")
        actions.cancel(list(flow.runs.exclude(status__in=FINAL)), now)
    flow.reason = reason
    outbox.hint(now)


def retry(flow: FlowRun, now: datetime, user: Any = None, *, steps: Collection[str] = ()) -> FlowRun:
    """A new flow that does again the steps with these names and all that depends on them; the others are not repeated.

    Without `steps`: all that failed, was cancelled or skipped. Raises `NotPossible`.
    """
    if flow.status == FlowRun.Status.RUNNING:
        raise NotPossible("The flow is running. Cancel it first, or wait until it has ended.")
    plan = flow.steps
    unknown = set(steps) - {step.name for step in plan.steps}
    if unknown:
        known = ", ".join(step.name for step in plan.steps[:20])
        raise NotPossible(f"The flow has no step “{min(unknown)}”; it has: {known}.")
    done = _done(flow)
    starts = [n for n, step in enumerate(plan.steps) if (step.name in steps if steps else _is_bad(done.get(n)))]
    again = plan.below(starts)
    if not again:
        raise NotPossible("Every step has succeeded; name those that shall be done again.")
    tasks = Task.objects.in_bulk({plan.steps[step].task for step in again})
    if gone := [task.name for task in tasks.values() if task.deleted_at]:
        raise NotPossible(f"Tasks of the flow have been deleted: {', '.join(sorted(gone)[:5])}.")
    made = FlowRun(
        task=flow.task,
        plan_id=flow.plan_id,
        params=flow.params,
        given={str(step): values for step, values in done.items() if step not in again},
        scheduled_for=flow.scheduled_for,
        deadline=flows.deadline(flow.task, now),
        retry_of=flow,
        created_by=user,
        created_at=now,
    )
    runs = [_step(made, number, tasks[plan.steps[number].task], now) for number in sorted(again)]
    with transaction.atomic():
        insert([made])
        transitions.create(runs)
        settling.settle([made], {made.pk: {number for number in again if number}}, now)
    outbox.hint(now)
    return made


def _step(flow: FlowRun, number: int, task: Task, now: datetime) -> TaskRun:
    """The first waits for nobody."""
    values: dict[str, Any] = {} if number else {"gate": "", "gate_since": None}
    return flows.step_run(flow, number, task, now, origin=TaskRun.Origin.RETRY, **values)


def _done(flow: FlowRun) -> dict[int, dict[str, Any]]:
    """How each step has ended, in this flow or in those that it went on from."""
    found = {int(step): values for step, values in flow.given.items()}
    for values in flow.runs.values("id", "step", *COLUMNS):
        found[values.pop("step")] = {**values, "id": str(values["id"])}
    return found


def _is_bad(values: dict[str, Any] | None) -> bool:
    """It failed, was cancelled, or was skipped for that. (What a branch has left out is done again with its parent.)"""
    return values is not None and values["status"] in BAD
