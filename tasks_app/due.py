"""Which nominal times of a task have come, and what becomes of each."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tasks_app.models import MissedSpan, Task, TaskRun, run_of
from tasks_app.schedule import Schedule, ScheduleError, newest

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=60)
"""Fires late by no more than this all run: only what is older has been missed."""
ROWS = 100
"""Of missed times the newest get a record each, so many at most; all that are older share one."""
_SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class Due:
    """A task's nominal times from its next fire up to now, settled; and the one that follows."""

    task: Task
    next: datetime | None
    run: list[datetime] = field(default_factory=list)
    skip: list[datetime] = field(default_factory=list)
    shared: tuple[datetime, datetime] | None = None
    """From when on and before when all are skipped, with one record for all of them."""


def due(task: Task, now: datetime, *, forget: bool = False) -> Due:
    """What has come since `task` was planned or fired last. `forget`: nothing of it runs.

    A task that is active missed what is older than `GRACE`, and makes up for it as `after_outage` says; one that is
    paused has missed everything, and makes up for it as `after_resume` says.
    """
    try:
        plan = task.plan()
    except ScheduleError:
        logger.exception("Task %s (%s) fires no more: its schedule cannot be read.", task.pk, task.name)
        return Due(task, None)
    if not task.next_fire_at or task.next_fire_at > now:
        return Due(task, task.next_fire_at)
    if plan.waits:
        return Due(task, None, [] if forget else [task.next_fire_at], [task.next_fire_at] if forget else [])
    return _settled(task, plan, now, forget)


def _settled(task: Task, plan: Schedule, now: datetime, forget: bool) -> Due:
    first, end = task.next_fire_at, _whole(now)
    assert first is not None
    paused = task.status == Task.Status.PAUSED
    fresh = end if paused or forget else max(first, _whole(now - GRACE - timedelta(microseconds=1)))
    found = Due(task, plan.next_after(now), newest(plan, fresh, end, most=int((end - fresh) / _SECOND)))
    how = Task.CatchUp.NONE if forget else task.after_resume if paused else task.after_outage
    wanted = _wanted(how, task, found.run)
    late = newest(plan, first, fresh, wanted + ROWS)
    newer = late[-wanted:] if wanted else []
    kept = [time for time in newer if not task.catch_up_seconds or _is_young(task, time, now)]
    found.skip = late[: len(late) - len(kept)][-ROWS:]
    found.run = kept + found.run
    oldest = min([*found.skip[:1], *found.run[:1]], default=fresh)
    found.shared = (first, oldest) if first < oldest else None
    return found


def _wanted(how: str, task: Task, fresh: list[datetime]) -> int:
    """How many of the missed times run at most, the newest first."""
    if how == Task.CatchUp.ALL:
        return task.catch_up_runs
    return 1 if how == Task.CatchUp.LAST and not fresh else 0


def _is_young(task: Task, time: datetime, now: datetime) -> bool:
    return now - time <= timedelta(seconds=task.catch_up_seconds or 0)


def _whole(at: datetime) -> datetime:
    """The first whole second after `at`."""
    return at.replace(microsecond=0) + _SECOND


def runs(what: Due, now: datetime) -> list[TaskRun]:
    """A run, not stored yet, for each nominal time that has one of its own: pending, or skipped."""
    ended = {"status": "skipped", "reason": reason(what.task), "completed_at": now}
    skipped = set(what.skip)
    return [
        run_of(
            what.task,
            now=now,
            origin="schedule",
            scheduled_for=time,
            available_at=time,
            **(ended if time in skipped else {}),
        )
        for time in (*what.skip, *what.run)
    ]


def span(what: Due, now: datetime) -> MissedSpan | None:
    """The record, not stored yet, that all the older ones share."""
    if not what.shared:
        return None
    since, until = what.shared
    return MissedSpan(task=what.task, since=since, until=until, reason=reason(what.task), recorded_at=now)


def reason(task: Task) -> str:
    """Why nominal times of `task` that have gone by do not run."""
    return "paused" if task.status == Task.Status.PAUSED else "missed"
