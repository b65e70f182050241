"""What people do to tasks and runs. The API, the admin and the commands all call these."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q

from access_app.models import Namespace
from tasks_app import chains, circuit, firing, flows, limits, outbox, pausing, transitions
from tasks_app.backfilling import chosen
from tasks_app.models import (
    ACTIVE,
    DEPENDENCY,
    FINAL,
    Backfill,
    Circuit,
    FormerPlan,
    Pause,
    Task,
    TaskDependency,
    TaskRun,
    run_of,
)
from tasks_app.schedule import written
from workers_app.messaging.protocol import AttemptKey, Cancel

RUNNING, CANCELLED = Backfill.Status.RUNNING, Backfill.Status.CANCELLED
CATCH_UP = ("after_outage", "after_resume", "catch_up_seconds", "catch_up_runs")
"""How a task makes up for what went by; a change of it holds for what went by already."""


class NotPossible(Exception):
    """What was asked for does not fit the state of things; the message says why."""


class TooMany(NotPossible):
    """A limit on runs would be passed; `retry_after` is in how many seconds it may go better."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Trigger:
    """A wish to run a task, now or at `scheduled_for`."""

    task: Task
    params: dict[str, Any] = field(default_factory=dict)
    scheduled_for: datetime | None = None
    idempotency_key: str | None = None
    children: bool = True
    """With all that depends on it."""


def save(task: Task, now: datetime, *, chained: bool = True) -> None:
    """Store a new or edited, validated task, and, if `chained`, the parents it wants.

    It is planned anew only where its schedule changed. Raises `ValidationError` where the parents do not fit.
    """
    task.target = circuit.host(task.executor, task.command)
    with transaction.atomic():
        before = Task.objects.select_for_update().filter(pk=task.pk).first() if task.pk else None
        if before and before.deleted_at:
            raise NotPossible("The task has been deleted.")
        if before is None:
            task.created_at = now
            task.plan_next(now)
            task.save(force_insert=True)
        else:
            _save_changes(task, before, now)
            if task.depend_on != before.depend_on and not task.wants_parents:
                task.depends_on = task.depends_on
        if chained:
            chains.chain([task])
        _hold([task], now)
    outbox.hint(now)


def create(tasks: list[Task], now: datetime) -> None:
    """Store new, validated tasks, all in one statement; their parents are left to the caller."""
    for task in tasks:
        task.target = circuit.host(task.executor, task.command)
        task.created_at = now
        task.plan_next(now)
    with transaction.atomic():
        Task.objects.bulk_create(tasks)
        _hold(tasks, now)
    outbox.hint(now)


def _hold(tasks: list[Task], now: datetime) -> None:
    """See that pauses hold those of `tasks` that they cover, and that each that is paused has a pause of its own."""
    ids = [task.pk for task in tasks]
    paused = {task.pk for task in tasks if task.status == Task.Status.PAUSED}
    known = set(Pause.objects.filter(task__in=ids).values_list("task", flat=True))
    if not (paused or known or Pause.objects.filter(task=None).exists()):
        return
    Pause.objects.filter(task__in=known - paused).delete()
    Pause.objects.bulk_create([Pause(task_id=pk, paused_at=now) for pk in paused - known])
    pausing.settle(Task.objects.filter(pk__in=ids), now)
    held = dict(Task.objects.filter(pk__in=ids, hold__gt=0).values_list("pk", "hold"))
    for task in tasks:
        task.hold = held.get(task.pk, 0)
        task._state.fields_cache.pop("own_pause", None)


def check_free(task: Task) -> None:
    """Raise `NotPossible` where a file says what `task` is, and not people."""
    if task.managed_by:
        raise NotPossible(f"The task is managed by “{task.managed_by}”: change it there, or take it over.")


def take_over(task: Task, now: datetime) -> None:
    """From now on people say what `task` is. (The next `apply` of a file that names it makes it the file's again.)"""
    Task.objects.filter(pk=task.pk).update(managed_by="", updated_at=now)
    task.managed_by = ""


def _save_changes(task: Task, before: Task, now: datetime) -> None:
    task.next_fire_at, task.waits, task.planned_at = before.next_fire_at, before.waits, before.planned_at
    task.hold, task.held_until = before.hold, before.held_until
    for name in CATCH_UP:
        setattr(before, name, getattr(task, name))
    replanned = task.planned_by != before.planned_by
    if replanned or task.status != before.status:
        settle(before, now, forget=replanned)
        task.plan_next(now)
    if replanned and (before.schedule or before.schedules):
        remember(before, now)
    if replanned:
        task.planned_at = now
    task.updated_at = now
    task.save(force_update=True)
    pending = task.runs.filter(status="pending")
    if task.placement != before.placement:
        pending.update(placement=task.placement)
    if task.limits != before.limits or task.circuit != before.circuit:
        pending.exclude(gate__in=["", DEPENDENCY]).update(gate="", gate_since=None)


def settle(task: Task, now: datetime, *, forget: bool) -> None:
    """Make the runs of what has come by the plan that `task`, which is locked, has had until now.

    `forget`: there is nothing to resume, so what came while it was paused does not run.
    """
    firing.fire([task], now, forget=forget and task.is_held)


def remember(task: Task, now: datetime) -> None:
    """Keep the plan that `task` has had, so that one can tell what was expected of it."""
    FormerPlan.objects.create(
        task=task,
        schedules=[written(spec) for spec in task.specs()],
        key=task.key,
        shift=task.shift,
        since=task.planned_at or task.created_at,
        until=now,
    )


def pause(task: Task, now: datetime, user: Any = None, **why: Any) -> None:
    """Fire and start nothing of `task` until it is resumed; what runs may end. `why`: reason, until, drain of `Pause`.

    Raises `ValidationError` that names the field.
    """
    wish = Pause(task=task, paused_at=now, paused_by=user, **why)
    _check_pause(wish, now)
    with transaction.atomic():
        task.status = Task.Status.PAUSED
        save(task, now)
        _store_pause(wish, Q(task=task), now)
        task.refresh_from_db(fields=["hold"])
        task._state.fields_cache.pop("own_pause", None)


def pause_many(wish: Pause, now: datetime) -> Pause:
    """Pause all tasks of a namespace, or with a label; again, and it is as `wish` says. Raises `ValidationError`."""
    _check_pause(wish, now)
    wish.paused_at = now
    with transaction.atomic():
        # Who makes a task holds its namespace's row: so each is either there to be held, or will see this pause.
        list(Namespace.objects.filter(pk=wish.namespace_id or F("pk")).select_for_update())
        return _store_pause(wish, Q(task=None, namespace=wish.namespace, label=wish.label), now)


def _check_pause(wish: Pause, now: datetime) -> None:
    wish.clean_fields(exclude=["task", "namespace", "paused_at"])
    wish.clean()
    if wish.until and wish.until <= now:
        raise ValidationError({"until": "This has gone by already; leave it out, or say a later time."})


def _store_pause(wish: Pause, scope: Q, now: datetime) -> Pause:
    values = {name: getattr(wish, name) for name in ("reason", "until", "drain", "paused_at", "paused_by")}
    if not Pause.objects.filter(scope).update(**values):
        wish.save(force_insert=True)
    stored = Pause.objects.get(scope)
    pausing.settle(Task.objects.filter(stored.covers, deleted_at=None), now)
    outbox.hint(now)
    return stored


def end_pause(row: Pause, now: datetime) -> None:
    """Resume what a pause has held; what went by meanwhile runs as each task's `after_resume` says."""
    with transaction.atomic():
        if row.task:
            resume(row.task, now)
            return
        covered = Task.objects.filter(row.covers, deleted_at=None)
        row.delete()
        pausing.settle(covered, now)
    outbox.hint(now)


def resume(task: Task, now: datetime) -> None:
    """Fire again, from `now` on; what went by meanwhile runs as its `after_resume` says."""
    task.status = Task.Status.ACTIVE
    save(task, now)


def delete(task: Task, now: datetime, *, together: Collection[Task] = ()) -> None:
    """Take `task` away: it fires no more, its open runs are cancelled, its history stays.

    Raises `NotPossible` while other tasks depend on it, but for those that are deleted `together` with it.
    """
    with transaction.atomic():
        _check_unneeded(task, together)
        settle(Task.objects.select_for_update().get(pk=task.pk), now, forget=True)
        Task.objects.filter(pk=task.pk).update(deleted_at=now, next_fire_at=None, updated_at=now)
        cancel(list(task.runs.exclude(status__in=FINAL)), now)
        task.backfills.filter(status=RUNNING).update(status=CANCELLED, completed_at=now)


def _check_unneeded(task: Task, together: Collection[Task]) -> None:
    following = TaskDependency.objects.filter(parent=task, task__deleted_at=None).exclude(task__in=together)
    if names := list(following.order_by("task__name").values_list("task__name", flat=True)[:5]):
        raise NotPossible(f"Tasks depend on “{task}”: {', '.join(names)}. Take it out of them, or delete them first.")
    parents = list(TaskDependency.objects.filter(task=task).values_list("parent", flat=True))
    TaskDependency.objects.filter(task=task).delete()
    chains.mark_parents(parents)


def trigger(wishes: list[Trigger], now: datetime, user: Any = None) -> list[TaskRun]:
    """Make a run for each wish, or find the one made earlier under its idempotency key.

    Raises `NotPossible` where a key was used before with other parameters or another time, and `TooMany` where there
    would be too many runs; then none is made.
    """
    _admit(wish.task for wish in wishes)
    runs = [
        run_of(
            wish.task,
            now=now,
            params=wish.params,
            idempotency_key=wish.idempotency_key or None,
            created_by=user,
            **({"scheduled_for": wish.scheduled_for, "available_at": wish.scheduled_for} if wish.scheduled_for else {}),
        )
        for wish in wishes
    ]
    alone = {run.pk for wish, run in zip(wishes, runs, strict=True) if not wish.children}
    with transaction.atomic():
        flows.create(runs, now, alone=alone)
        found = _stored(wishes, runs)
    outbox.hint(now)
    return found


def _admit(tasks: Iterable[Task]) -> None:
    """Raise `TooMany` if no run of each of `tasks` may be made now."""
    if refusal := limits.take(Counter(task.namespace_id or 0 for task in tasks)):
        raise TooMany(refusal.message, refusal.retry_after)


def _stored(wishes: list[Trigger], runs: list[TaskRun]) -> list[TaskRun]:
    """Each run, or the earlier one with the same task, key and wish."""
    keys = {run.idempotency_key for run in runs if run.idempotency_key}
    if not keys:
        return runs
    known = TaskRun.objects.filter(task__in={run.task_id for run in runs}, idempotency_key__in=keys)
    by_key = {(run.task_id, run.idempotency_key): run for run in known.select_related("task", "worker")}
    found = [by_key.get((run.task_id, run.idempotency_key), run) for run in runs]
    for wish, run in zip(wishes, found, strict=True):
        if run.params != wish.params or wish.scheduled_for not in (None, run.scheduled_for):
            raise NotPossible(f"The idempotency key “{run.idempotency_key}” was used before for something else.")
    return found


def cancel(runs: Iterable[TaskRun], now: datetime) -> int:
    """End runs: pending ones at once, active ones by their worker. Returns how many it applied to."""
    ids = [run.pk for run in runs]
    with transaction.atomic():
        done = transitions.cancel(ids, now)
        active = TaskRun.objects.filter(pk__in=ids, status__in=ACTIVE).select_related("worker")
        letters = [(run.worker.boot_id, Cancel([AttemptKey(run.pk, run.attempt)])) for run in active if run.worker]
        outbox.post(letters, now)
    return done


def retry(run: TaskRun, now: datetime, user: Any = None) -> TaskRun:
    """A new run like `run`, which points at it. Raises `NotPossible` while `run` has not ended, and `TooMany`."""
    if run.status not in FINAL:
        raise NotPossible(f"The run is {run.status}. Cancel it first, or wait until it has ended.")
    if run.task.deleted_at:
        raise NotPossible("The task of this run has been deleted.")
    if run.fan_out_id:
        raise NotPossible(f"It is an item of run {run.fan_out_id}: retry that one.")
    _admit([run.task])
    again = run_of(run.task, now=now, origin="retry", params=run.params, retry_of=run, created_by=user)
    again.scheduled_for = run.scheduled_for
    with transaction.atomic():
        flows.create([again], now, alone=[again.pk] if run.flow_id else [])
    outbox.hint(now)
    return again


def backfill(wish: Backfill, now: datetime, user: Any = None) -> Backfill:
    """Start to make up for nominal times of `wish.task` that have gone by; raises `ValidationError`."""
    wish.clean_fields(exclude=["times", "total", "created_at"])
    with transaction.atomic():
        task = Task.objects.select_for_update().get(pk=wish.task_id)  # two of them do not choose the same times
        if task.deleted_at:
            raise NotPossible("The task has been deleted.")
        times = chosen(task, wish, now)
        if not times:
            raise ValidationError({"since": "There is nothing to make up for in this span."})
        wish.times = [int(at.timestamp()) for at in times]
        wish.total, wish.created_at, wish.created_by = len(times), now, user
        wish.save(force_insert=True)
    outbox.hint(now)
    return wish


def cancel_backfill(row: Backfill, now: datetime) -> None:
    """Make no further runs of a backfill, and cancel those that are open; raises `NotPossible` if it is over."""
    with transaction.atomic():
        if not Backfill.objects.filter(pk=row.pk, status=RUNNING).update(status=CANCELLED, completed_at=now):
            raise NotPossible("The backfill is over already.")
        cancel(list(row.runs.exclude(status__in=FINAL)), now)
    outbox.hint(now)


def reset_circuit(row: Circuit, now: datetime) -> None:
    """Close a circuit by hand; what it held up may start."""
    values = asdict(circuit.State(opened_at=row.opened_at))
    Circuit.objects.filter(pk=row.pk).update(updated_at=now, **values)
    outbox.hint(now)
