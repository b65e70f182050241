"""Which nominal times of a task have come, and what becomes of each."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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


class Skip(NamedTuple):
    """A nominal time that does not run."""

    at: datetime
    reason: str
    """paused, or missed: nobody could fire it."""
    closed: str = ""
    """Why it is closed; then this is the reason."""


class Part(NamedTuple):
    """A part of the time that has gone by."""

    first: datetime
    fresh: datetime
    """From then on everything runs."""
    end: datetime
    how: str
    """What else runs."""
    reason: str
    """Why the rest does not."""


@dataclass(slots=True)
class Due:
    """A task's nominal times from its next fire up to now, settled; and the one that follows."""

    task: Task
    next: datetime | None
    run: list[datetime] = field(default_factory=list)
    skip: list[Skip] = field(default_factory=list)
    shared: list[tuple[datetime, datetime, str]] = field(default_factory=list)
    """From when on and before when what is not named above is skipped, and why, with one record for all of it."""


def due(task: Task, now: datetime, closures: Closures = NONE, *, forget: bool = False) -> Due:
    """What has come since `task` was planned or fired last. What `closures` close, and with `forget` all, does not run.

    A task that is active missed what is older than `GRACE`, and makes up for it as `after_outage` says; one that is
    paused has missed everything, and makes up for it as `after_resume` says, also when the pause has ended meanwhile.
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
        skipped = [Skip(task.next_fire_at, "paused" if task.is_held else "missed", why)] if why or forget else []
        return Due(task, None, [] if skipped else [task.next_fire_at], skipped)
    return _settled(task, plan, now, closures, forget)


def _settled(task: Task, plan: Schedule, now: datetime, closures: Closures, forget: bool) -> Due:
    """What went by in a pause, and what has come after it."""
    first, end = task.next_fire_at, _whole(now)
    assert first is not None
    found = Due(task, plan.next_after(now))
    resumed = end if task.is_held else min(_ceiling(task.held_until), end) if task.held_until else first
    if first < resumed:
        how = Task.CatchUp.NONE if forget else task.after_resume
        _settle(found, plan, Part(first, resumed, resumed, how, "paused"), now, closures)
    start = max(first, resumed)
    if start < end:
        fresh = end if forget else max(start, _whole(now - GRACE - timedelta(microseconds=1)))
        how = Task.CatchUp.NONE if forget else task.after_outage
        _settle(found, plan, Part(start, fresh, end, how, "missed"), now, closures)
    return found


def _settle(found: Due, plan: Schedule, part: Part, now: datetime, closures: Closures) -> None:
    """Add to `found` what becomes of the instants of one part."""
    task = found.task
    recent = _explained(newest(plan, part.fresh, part.end, int((part.end - part.fresh) / _SECOND)), plan, closures)
    running = [time for time, why in recent if not why]
    wanted = _wanted(part.how, task, running)
    late = newest(closures.over(plan), part.first, part.fresh, wanted)[-wanted:] if wanted else []
    kept = [time for time in late if not task.catch_up_seconds or _is_young(task, time, now)]
    unkept = sorted(set(newest(plan, part.first, part.fresh, ROWS + len(kept))).difference(kept))[-ROWS:]
    skipped = [*_explained(unkept, plan, closures), *(each for each in recent if each[1])]
    found.run += kept + running
    found.skip += [Skip(time, part.reason, why) for time, why in skipped]
    spans = _between(plan, part.first, min(unkept, default=part.fresh), kept)
    found.shared += [(since, until, part.reason) for since, until in spans]


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


def _ceiling(at: datetime) -> datetime:
    """The first whole second that is not before `at`."""
    return at if at.microsecond == 0 else _whole(at)


def _whole(at: datetime) -> datetime:
    """The first whole second after `at`."""
    return at.replace(microsecond=0) + _SECOND


def runs(what: Due, now: datetime) -> list[TaskRun]:
    """A run, not stored yet, for each nominal time that has one of its own: pending, or skipped."""
    skipped = [_run(what.task, each.at, now, **_ended(each, now)) for each in what.skip]
    return [*skipped, *(_run(what.task, time, now) for time in what.run)]


def _run(task: Task, time: datetime, now: datetime, **values: Any) -> TaskRun:
    return run_of(task, now=now, origin="schedule", scheduled_for=time, available_at=time, **values)


def _ended(skip: Skip, now: datetime) -> dict[str, Any]:
    why = {"reason": "calendar", "error": f"Closed by {skip.closed}"} if skip.closed else {"reason": skip.reason}
    return {"status": "skipped", "completed_at": now} | why


def spans(what: Due, now: datetime) -> list[MissedSpan]:
    """The records, not stored yet, that all the others share."""
    return [
        MissedSpan(task=what.task, since=since, until=until, reason=reason, recorded_at=now)
        for since, until, reason in what.shared
    ]
