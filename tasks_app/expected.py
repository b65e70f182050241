"""Expected against actual: every nominal time of a task in a span, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from tasks_app.calendars import shift_of
from tasks_app.models import FormerPlan, MissedSpan, Task, TaskRun
from tasks_app.schedule import Schedule, read, spec_of

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one nominal time."""

    at: datetime
    outcome: str
    """The status of its run; `skipped` also where it shares a record; `due`: it is still to come; `paused`: it waits
    for the task to be resumed; `unknown`: there is neither a run nor a record."""
    reason: str = ""
    run: TaskRun | None = None
    expected: bool = True
    """False: no plan of the task has this time, yet there is a run for it."""


def fates(task: Task, since: datetime, until: datetime, now: datetime, most: int) -> list[Fate]:
    """The first `most` nominal times from `since` on and before `until`, in order."""
    since = max(since, task.created_at)
    times = list(islice(expected_times(task, since, until), most))
    end = times[-1] + TICK if len(times) == most else until
    runs = task.runs.filter(origin="schedule", scheduled_for__gte=since, scheduled_for__lt=end)
    by_time = {run.scheduled_for: run for run in runs.order_by("scheduled_for")[:most]}
    spans = list(task.missed_spans.filter(until__gt=since, since__lt=end))
    found = [_fate(task, at, by_time.pop(at, None), spans, now) for at in times]
    found += [Fate(at, run.status, run.reason, run, expected=False) for at, run in by_time.items()]
    return sorted(found, key=lambda fate: fate.at)[:most]


def _fate(task: Task, at: datetime, run: TaskRun | None, spans: list[MissedSpan], now: datetime) -> Fate:
    if run:
        return Fate(at, run.status, run.reason, run)
    if shared := next((span for span in spans if span.since <= at < span.until), None):
        return Fate(at, "skipped", shared.reason)
    if at > now:
        return Fate(at, "due")
    if task.next_fire_at and at >= task.next_fire_at:
        return Fate(at, "paused" if task.is_held else "due")
    return Fate(at, "unknown")


def expected_times(task: Task, since: datetime, until: datetime) -> Iterator[datetime]:
    """The nominal times from `since` on and before `until`, by each plan of the task in its time: what comes after it
    was made, up to the moment at which it was given up."""
    for plan in task.former_plans.filter(until__gte=since, since__lt=until).order_by("since"):
        yield from _times(_read(plan), max(since - TICK, plan.since), min(until, plan.until + TICK))
    begun, ended = task.planned_at or task.created_at, task.deleted_at + TICK if task.deleted_at else until
    if task.schedule or task.schedules:
        yield from _times(task.plan(), max(since - TICK, begun), min(until, ended))


def times_of(plan: Schedule, since: datetime, until: datetime) -> Iterator[datetime]:
    """The instants of `plan` from `since` on and before `until`."""
    return _times(plan, since - TICK, until)


def _read(plan: FormerPlan) -> Schedule:
    return read(tuple(spec_of(values, "UTC") for values in plan.schedules), plan.key, shift_of(plan.shift))


def _times(plan: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    at = None if plan.waits else plan.next_after(after)
    while at and at < until:
        yield at
        at = plan.next_after(at)
