"""Duty 3: turn every due nominal time into a run."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from tasks_app import schedule, transitions
from tasks_app.models import Task, TaskRun, run_of
from tasks_app.sql import claimed, update

logger = logging.getLogger(__name__)

BATCH = 250
"""Tasks per pass, and nominal times per task and pass: an outage is worked off in several passes."""
GRACE = timedelta(seconds=60)
"""Fires late by no more than this all run. Of older ones only the last runs; the others are recorded as missed."""


@dataclass(frozen=True, slots=True)
class Due:
    """A task's nominal times up to now, and the one to come."""

    task: Task
    times: list[datetime]
    next: datetime | None


def fire(now: datetime) -> list[TaskRun]:
    """Return the runs made (those recorded as missed too)."""
    with transaction.atomic(savepoint=False):
        due = Task.objects.filter(status="active", deleted_at=None, next_fire_at__lte=now).order_by("next_fire_at")
        fired = [_due(task, now) for task in claimed(due)[:BATCH]]
        runs = [run for each in fired for run in _runs(each, now)]
        transitions.create(runs)
        update(Task, ["id"], [{"id": each.task.pk, "next_fire_at": each.next} for each in fired])
    return runs


def _due(task: Task, now: datetime) -> Due:
    times: list[datetime] = []
    following = task.next_fire_at
    try:
        plan = schedule.parse(task.schedule, task.timezone)
    except schedule.ScheduleError:
        logger.exception("Task %s (%s) fires no more: its schedule cannot be read.", task.pk, task.name)
        return Due(task, [], None)
    while following and following <= now and len(times) < BATCH:
        times.append(following)
        following = plan.next_after(following)
    return Due(task, times, following)


def _runs(due: Due, now: datetime) -> list[TaskRun]:
    caught_up = due.next is None or due.next > now
    last = due.times[-1] if due.times and caught_up else None
    return [_run(due.task, time, now, missed=now - time > GRACE and time != last) for time in due.times]


def _run(task: Task, time: datetime, now: datetime, *, missed: bool) -> TaskRun:
    values = {"status": "skipped", "reason": "missed", "completed_at": now} if missed else {}
    return run_of(task, now=now, origin="schedule", scheduled_for=time, available_at=time, **values)
