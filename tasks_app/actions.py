"""What people do to tasks and runs. The API, the admin and the commands all call these."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q

from access_app.models import Namespace
from tasks_app import calendars, circuit, firing, limits, outbox, pausing, schedule, transitions
from tasks_app.backfilling import chosen
from tasks_app.models import ACTIVE, FINAL, Backfill, Calendar, Circuit, FormerPlan, Pause, Pool, Task, TaskRun, run_of
from tasks_app.schedule import ScheduleError, written
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


def save(task: Task, now: datetime) -> None:
    """Store a new or edited, validated task. It is planned anew only where its schedule changed."""
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
        _hold([task], now)
    outbox.hint(now)


def create(tasks: list[Task], now: datetime) -> None:
    """Store new, validated tasks, all in one statement."""
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
        _settle(before, now, forget=replanned)
        task.plan_next(now)
    if replanned and (before.schedule or before.schedules):
        _remember(before, now)
    if replanned:
        task.planned_at = now
    task.updated_at = now
    task.save(force_update=True)
    pending = task.runs.filter(status="pending")
    if task.placement != before.placement:
        pending.update(placement=task.placement)
    if task.limits != before.limits or task.circuit != before.circuit:
        pending.exclude(gate="").update(gate="", gate_since=None)


def _settle(task: Task, now: datetime, *, forget: bool) -> None:
    """Make the runs of what has come by the plan that `task`, which is locked, has had until now.

    `forget`: there is nothing to resume, so what came while it was paused does not run.
    """
    firing.fire([task], now, forget=forget and task.is_held)


def _remember(task: Task, now: datetime) -> None:
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


def delete(task: Task, now: datetime) -> None:
    """Take `task` away: it fires no more, its open runs are cancelled, its history stays."""
    with transaction.atomic():
        _settle(Task.objects.select_for_update().get(pk=task.pk), now, forget=True)
        Task.objects.filter(pk=task.pk).update(deleted_at=now, next_fire_at=None, updated_at=now)
        cancel(list(task.runs.exclude(status__in=FINAL)), now)
        task.backfills.filter(status=RUNNING).update(status=CANCELLED, completed_at=now)


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
    with transaction.atomic():
        transitions.create(runs)
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
    _admit([run.task])
    again = run_of(run.task, now=now, origin="retry", params=run.params, retry_of=run, created_by=user)
    again.scheduled_for = run.scheduled_for
    transitions.create([again])
    outbox.hint(now)
    return again


def save_calendar(calendar: Calendar, now: datetime) -> None:
    """Store a new or edited, validated calendar. Tasks that it moves are planned anew."""
    with transaction.atomic():
        before = Calendar.objects.select_for_update().filter(pk=calendar.pk).first() if calendar.pk else None
        calendar.updated_at = now
        calendar.save()
        if before and before.rules != calendar.rules:
            moving = Task.objects.filter(calendar=before, deleted_at=None).exclude(on_closed=Task.OnClosed.SKIP)
            for task in moving.order_by("pk").select_for_update():
                _replan(task, before, calendar, now)
    outbox.hint(now)


def import_ics(calendar: Calendar, ics: str, now: datetime, *, field: str = "closed", replace: bool = False) -> None:
    """Take the events of an iCalendar file over into `field` of a calendar.

    Raises `ValidationError`, naming `ics` or the field.
    """
    try:
        zone = schedule.zone(calendar.timezone or "UTC")
        found = calendars.ics.lines(ics, zone, now.astimezone(zone).date())
    except ScheduleError as error:
        raise ValidationError({error.field: error.message}) from None
    setattr(calendar, field, calendars.ics.added("" if replace else getattr(calendar, field), found))
    calendar.full_clean()
    save_calendar(calendar, now)


def _replan(task: Task, before: Calendar, after: Calendar, now: datetime) -> None:
    """Plan `task`, which is locked, by a calendar that was edited."""
    task.calendar = before
    _settle(task, now, forget=True)
    _remember(task, now)
    task.calendar = after
    task.plan_next(now)
    task.planned_at = now
    task.save(update_fields=["next_fire_at", "waits", "planned_at", "updated_at"])


def delete_calendar(calendar: Calendar) -> None:
    """Take a calendar away; raises `NotPossible` while tasks use it."""
    with transaction.atomic():
        Calendar.objects.select_for_update().get(pk=calendar.pk)
        Task.objects.filter(calendar=calendar).exclude(deleted_at=None).update(calendar=None)
        names = list(Task.objects.filter(calendar=calendar).order_by("name").values_list("name", flat=True)[:5])
        if names:
            raise NotPossible(f"Tasks use the calendar: {', '.join(names)}. Take it out of them first.")
        calendar.delete()


def save_pool(pool: Pool, now: datetime) -> None:
    """Store a new or edited, validated pool; it holds at once."""
    pool.save()
    outbox.hint(now)


def delete_pool(pool: Pool) -> None:
    """Take a pool away; raises `NotPossible` while tasks use it."""
    with transaction.atomic():
        stored = Pool.objects.select_for_update().get(pk=pool.pk)
        if used := stored.used_by():
            raise NotPossible(f"{used} Take it out of them first.")
        pool.delete()


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
