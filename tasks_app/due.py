"""Which nominal times of a task have come, and the runs they become."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks_app import schedule
from tasks_app.models import Task, TaskRun, run_of

logger = logging.getLogger(__name__)

MOST = 250
"""Nominal times looked at in one go: an outage is worked off in several."""
GRACE = timedelta(seconds=60)
"""Fires late by no more than this all run. Of older ones only the last runs; the others are recorded as missed."""


@dataclass(frozen=True, slots=True)
class Due:
    """A task's nominal times up to now (the first `MOST` of them), and the one that follows."""

    task: Task
    times: list[datetime]
    next: datetime | None


def due(task: Task, now: datetime) -> Due:
    """What has come since `task` was planned or fired last."""
    times: list[datetime] = []
    following = task.next_fire_at
    try:
        plan = task.plan()
    except schedule.ScheduleError:
        logger.exception("Task %s (%s) fires no more: its schedule cannot be read.", task.pk, task.name)
        return Due(task, [], None)
    while following and following <= now and len(times) < MOST:
        times.append(following)
        following = None if plan.waits else plan.next_after(following)
    return Due(task, times, following)


def runs(what: Due, now: datetime) -> list[TaskRun]:
    """A run, not stored yet, for each nominal time: pending, or skipped as missed."""
    caught_up = what.next is None or what.next > now
    last = what.times[-1] if what.times and caught_up else None
    return [_run(what.task, time, now, missed=now - time > GRACE and time != last) for time in what.times]


def _run(task: Task, time: datetime, now: datetime, *, missed: bool) -> TaskRun:
    values = {"status": "skipped", "reason": "missed", "completed_at": now} if missed else {}
    return run_of(task, now=now, origin="schedule", scheduled_for=time, available_at=time, **values)
