"""Flows: they begin with a run of a task that others depend on, and hold a run of each of those from the start."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tasks_app import transitions
from tasks_app.flow.plan import Parent, Plan, Step, ordered
from tasks_app.flow.rules import Rule
from tasks_app.models import DEPENDENCY, FlowPlan, FlowRun, Task, TaskDependency, TaskRun, run_of
from tasks_app.sql import insert

MOST_STEPS = 10_000
"""Of one flow."""


def create(runs: list[TaskRun], now: datetime, *, alone: Collection[UUID] = ()) -> None:
    """Store new runs; those that others follow begin a flow, but for those of `alone`. Callers hold a transaction.

    One that exists already (nominal time, idempotency key) is left as it is, with all that follows it.
    """
    leading = [run for run in runs if run.task.leads and run.status == "pending" and run.pk not in alone]
    flows = {run.pk: _begun(run, now) for run in leading}
    transitions.create(runs)
    if not flows:
        return
    stored = set(TaskRun.objects.filter(pk__in=list(flows)).values_list("pk", flat=True))
    insert([flow for pk, flow in flows.items() if pk in stored])
    wanted = {step.task for flow in flows.values() for step in flow.steps.steps}
    tasks = Task.objects.in_bulk(wanted)
    transitions.create([step for run in leading if run.pk in stored for step in _steps(run, flows[run.pk], tasks, now)])


def _begun(run: TaskRun, now: datetime) -> FlowRun:
    """The flow, not stored yet, of which `run` is the first step."""
    task = run.task
    flow = FlowRun(
        task=task,
        plan_id=_stored(plan_of(task)),
        params=run.params,
        scheduled_for=run.scheduled_for,
        deadline=deadline(task, max(now, run.available_at)),
        created_by_id=run.created_by_id,
        created_at=now,
    )
    run.flow, run.step, run.settled = flow, 0, False
    return flow


def deadline(task: Task, begin: datetime) -> datetime | None:
    """When a flow that begins with `task` at `begin` has to be over."""
    return begin + timedelta(seconds=task.flow_timeout_seconds) if task.flow_timeout_seconds else None


def _steps(first: TaskRun, flow: FlowRun, tasks: dict[int, Task], now: datetime) -> list[TaskRun]:
    return [
        step_run(flow, number, tasks[step.task], now, available_at=first.available_at)
        for number, step in enumerate(flow.steps.steps)
        if number
    ]


def step_run(flow: FlowRun, step: int, task: Task, now: datetime, **values: Any) -> TaskRun:
    """A run, not stored yet, that waits for the parents of its step."""
    waiting = {"gate": DEPENDENCY, "gate_since": now, "settled": False, "origin": TaskRun.Origin.DEPENDENCY}
    known = {"params": flow.params, "scheduled_for": flow.scheduled_for, "created_by_id": flow.created_by_id}
    return run_of(task, now=now, flow=flow, step=step, **(waiting | known | values))


def plan_of(task: Task) -> Plan:
    """The flow that begins with `task`, as things are now. Parents that are no part of it do not count."""
    parents: dict[int, list[tuple[int, str]]] = {task.pk: []}
    steps = {task.pk: Step(task.pk, task.name)}
    level = [task.pk]
    while level and len(steps) < MOST_STEPS:
        following = TaskDependency.objects.filter(
            parent__in=level, task__deleted_at=None, task__depend_on=Task.DependOn.FLOW
        )
        level = []
        columns = ("task", "parent", "when", "task__name", "task__trigger_rule", "task__inputs")
        for child, parent, when, name, rule, inputs in following.values_list(*columns):
            parents.setdefault(child, []).append((parent, when))
            if child not in steps:
                steps[child] = Step(child, name, Rule(rule), inputs=inputs)
                level.append(child)
    order = ordered({key: [parent for parent, _ in those] for key, those in parents.items()})
    place = {key: number for number, key in enumerate(order)}
    return Plan(tuple(_placed(steps[key], parents[key], place) for key in order))


def _placed(step: Step, parents: list[tuple[int, str]], place: dict[int, int]) -> Step:
    known = sorted(Parent(place[parent], when) for parent, when in parents)
    return Step(step.task, step.name, step.rule, tuple(known), step.inputs)


def _stored(plan: Plan) -> str:
    """The key of the row that holds `plan`."""
    insert([FlowPlan(digest=plan.digest, steps=plan.encoded().decode())])
    return plan.digest


def steps_of(flow: FlowRun) -> list[dict[str, Any]]:
    """Each step with its task, its parents' names and what became of it, parents first."""
    plan = flow.steps.steps
    runs = {run.step: run for run in TaskRun.objects.filter(flow=flow).defer("params", "result")}
    return [
        {
            "name": step.name,
            "task": step.task,
            "rule": step.rule.value,
            "parents": [plan[parent.step].name for parent in step.parents],
            **_told(runs.get(number), flow.given_step(number) or {}),
        }
        for number, step in enumerate(plan)
    ]


def _told(run: TaskRun | None, given: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "reason", "error")
    if run is None:
        return {"run": given.get("id"), **{name: given.get(name, "") for name in names}, "taken_over": True}
    return {"run": str(run.pk), **{name: getattr(run, name) for name in names}, "taken_over": False}
