"""Duty: what has ended lets those go on that wait for it.

A run that others wait for is `settled` once they know how it ended, in a transaction that begins after its end was
committed. So of two parents that end at the same time, whoever is settled last sees both, and nothing needs a lock.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from tasks_app import flow_actions, flows
from tasks_app.expressions import ExpressionError
from tasks_app.facts import facts_of, inputs
from tasks_app.flow.plan import Step
from tasks_app.models import FINAL, FlowRun, Task, TaskDependency, TaskRun, run_of
from tasks_app.settling import settle
from tasks_app.sql import claimed, update

BATCH = 500
"""Runs settled in one pass."""


def advance(now: datetime) -> int:
    """Settle what has ended; return how much that was."""
    with transaction.atomic(savepoint=False):
        ended = TaskRun.objects.filter(settled=False, status__in=FINAL).order_by("id")
        over = list(claimed(ended.select_related("task").only("status", "flow", "step", "task__feeds"))[:BATCH])
        if not over:
            return 0
        steps = [run for run in over if run.flow_id]
        if steps:
            _go_on(steps, now)
        if fed := {run.task_id: run.pk for run in over if run.task.feeds and run.status == "succeeded"}:
            _feed(fed, now)
        TaskRun.objects.filter(pk__in=[run.pk for run in over]).update(settled=True)
        if steps:
            _complete({run.flow_id for run in steps if run.flow_id}, now)
    return len(over)


def _go_on(over: list[TaskRun], now: datetime) -> None:
    """Decide on the children of steps that have ended."""
    running = FlowRun.objects.in_bulk({run.flow_id for run in over})
    ended: dict[UUID, set[int]] = defaultdict(set)
    for run in over:
        ended[run.flow_id].add(run.step or 0)  # type: ignore[index]
    asked = {
        flow: {child for step in steps for child in running[flow].steps.children[step]} for flow, steps in ended.items()
    }
    settle(list(running.values()), asked, now)


def _complete(touched: set[UUID], now: datetime) -> None:
    """Bring flows to their end of which no run is open."""
    runs = TaskRun.objects.filter(flow__in=touched)
    still = set(runs.exclude(status__in=FINAL).order_by().values_list("flow", flat=True).distinct())
    done = touched - still
    if not done:
        return
    bad = runs.filter(Q(status__in=["failed", "cancelled"]) | Q(reason="expression"), flow__in=done)
    seen: dict[UUID, set[str]] = defaultdict(set)
    for flow, status in bad.order_by().values_list("flow", "status").distinct():
        seen[flow].add(status)
    flows_done = FlowRun.objects.filter(pk__in=done, status="running").values_list("pk", "reason")
    rows = [{"id": pk, "status": _flow_status(seen[pk], reason), "completed_at": now} for pk, reason in flows_done]
    update(FlowRun, ["id"], rows, "target.status || '' = 'running'")


def _flow_status(seen: set[str], reason: str) -> str:
    """Of a flow in which runs have ended badly in these ways; a skipped one among them has a broken expression."""
    if reason == "cancelled":
        return FlowRun.Status.CANCELLED
    if reason or seen & {"failed", "skipped"}:
        return FlowRun.Status.FAILED
    return FlowRun.Status.CANCELLED if seen else FlowRun.Status.SUCCEEDED


def _feed(fed: dict[int, UUID], now: datetime) -> None:
    """Tasks that wait for the latest success of all their parents run when each has had a new one."""
    waiting = TaskDependency.objects.filter(parent__in=fed, task__deleted_at=None, task__depend_on=Task.DependOn.LATEST)
    # Locked in one order, so that of two parents' successes the second sees the first.
    children = Task.objects.filter(pk__in=waiting.values("task")).order_by("pk").select_for_update(of=("self",))
    for task in children:
        for parent, run in fed.items():
            TaskDependency.objects.filter(task=task, parent=parent).update(fresh=run)
        dependencies = list(task.dependencies.select_related("parent", "fresh"))
        if all(each.fresh for each in dependencies):
            flows.create([_follower(task, dependencies, now)], now)
            TaskDependency.objects.filter(pk__in=[each.pk for each in dependencies]).update(fresh=None)


def _follower(task: Task, dependencies: list[TaskDependency], now: datetime) -> TaskRun:
    parents = [(each.parent.name, facts_of(each.fresh)) for each in dependencies if each.fresh]
    step = Step(task.pk, task.name, inputs=task.inputs)
    try:
        values: dict[str, Any] = {"params": inputs(step, {}, parents)}
    except ExpressionError as error:
        values = {"status": "skipped", "reason": "expression", "error": str(error), "completed_at": now}
    return run_of(task, now=now, origin=TaskRun.Origin.DEPENDENCY, **values)


def expire(now: datetime) -> int:
    """End flows whose deadline has gone by; return how many."""
    with transaction.atomic(savepoint=False):
        late = list(claimed(FlowRun.objects.filter(status="running", deadline__lte=now, reason=""))[:BATCH])
        for flow in late:
            flow_actions.cancel(flow, now, reason="deadline")
    return len(late)
