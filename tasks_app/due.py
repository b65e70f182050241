"""Which nominal times of a task have come, and what becomes of each."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tasks_app.calendars import Closures
from tasks_app.models import MissedSpan, Task, TaskRun, run_of
from tasks_app.schedule import Schedule, ScheduleError, newest

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=60)
"""Fires late by no more than this all run: only what is older has been missed."""
ROWS = 100
"""Of missed times the newest get a record each, so many at most; all that are older share one."""
NONE = Closures()
_SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class Due:
    """A task's nominal times from its next fire up to now, settled; and the one that follows."""

    task: Task
    next: datetime | None
    run: list[datetime] = field(default_factory=list)
    skip: list[tuple[datetime, str]] = field(default_factory=list)
    """Each with why it is closed; empty: the task was paused, or nobody could fire it."""
    shared: list[tuple[datetime, datetime]] = field(default_factory=list)
    """From when on and before when what is not named above is skipped, with one record for all of it."""


def due(task: Task, now: datetime, closures: Closures = NONE, *, forget: bool = False) -> Due:
    """What has come since `task` was planned or fired last. What `closures` close, and with `forget` all, does not run.

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
        why = closures.why(task.next_fire_at, plan.zone)
        skipped = [(task.next_fire_at, why)] if why or forget else []
        return Due(task, None, [] if skipped else [task.next_fire_at], skipped)
    return _settled(task, plan, now, closures, forget)


def _settled(task: Task, plan: Schedule, now: datetime, closures: Closures, forget: bool) -> Due:
    first, end = task.next_fire_at, _whole(now)
    assert first is not None
    paused = task.status == Task.Status.PAUSED
    fresh = end if paused or forget else max(first, _whole(now - GRACE - timedelta(microseconds=1)))
    recent = _explained(newest(plan, fresh, end, most=int((end - fresh) / _SECOND)), plan, closures)
    running = [time for time, why in recent if not why]
    how = Task.CatchUp.NONE if forget else task.after_resume if paused else task.after_outage
    wanted = _wanted(how, task, running)
    late = newest(closures.over(plan), first, fresh, wanted)[-wanted:] if wanted else []
    kept = [time for time in late if not task.catch_up_seconds or _is_young(task, time, now)]
    unkept = sorted(set(newest(plan, first, fresh, ROWS + len(kept))).difference(kept))[-ROWS:]
    return Due(
        task,
        plan.next_after(now),
        kept + running,
        [*_explained(unkept, plan, closures), *(each for each in recent if each[1])],
        list(_between(plan, first, min(unkept, default=fresh), kept)),
    )


def _explained(times: list[datetime], plan: Schedule, closures: Closures) -> list[tuple[datetime, str]]:
    """Each with why it is closed."""
    return [(time, closures.why(time, plan.zone)) for time in times]


def _between(
    plan: Schedule, start: datetime, end: datetime, kept: list[datetime]
) -> Iterator[tuple[datetime, datetime]]:
    """The spans from `start` on and before `end` that hold instants of `plan`, but none of `kept`."""
    for cut in [*(time for time in kept if time < end), end]:
        following = plan.next_after(start - _SECOND)
        if following and following < cut:
            yield start, cut
        start = cut + _SECOND


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
    skipped = [_run(what.task, time, now, **_ended(what.task, why, now)) for time, why in what.skip]
    return [*skipped, *(_run(what.task, time, now) for time in what.run)]


def _run(task: Task, time: datetime, now: datetime, **values: Any) -> TaskRun:
    return run_of(task, now=now, origin="schedule", scheduled_for=time, available_at=time, **values)


def _ended(task: Task, why: str, now: datetime) -> dict[str, Any]:
    skipped = {"reason": "calendar", "error": f"Closed by {why}"} if why else {"reason": reason(task)}
    return {"status": "skipped", "completed_at": now} | skipped


def spans(what: Due, now: datetime) -> list[MissedSpan]:
    """The records, not stored yet, that all the others share."""
    return [
        MissedSpan(task=what.task, since=since, until=until, reason=reason(what.task), recorded_at=now)
        for since, until in what.shared
    ]


def reason(task: Task) -> str:
    """Why nominal times of `task` that have gone by do not run."""
    return "paused" if task.status == Task.Status.PAUSED else "missed"
