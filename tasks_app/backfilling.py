"""Which nominal times a backfill makes up for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice

from django.core.exceptions import ValidationError

from tasks_app.closing import closures, general
from tasks_app.expected import TICK, expected_times, times_of
from tasks_app.models import FINAL, Backfill, Task
from tasks_app.schedule import ScheduleError

MOST = 10_000
"""Nominal times of one backfill."""


def chosen(task: Task, wish: Backfill, now: datetime) -> list[datetime]:
    """The nominal times that `wish` asks for, in its order; raises `ValidationError` that names the field.

    Left out are those that a calendar closes now, those that have an open run, and those that another backfill of the
    task will come to.
    """
    _check(task, wish, now)
    found = list(islice(_nominal(task, wish), MOST + 1))
    if len(found) > MOST:
        message = f"That are more than {MOST:,} nominal times; say an earlier end, such as {found[MOST].isoformat()}."
        raise ValidationError({"until": message})
    closed, zone = closures(task, general()), task.plan().zone
    statuses = _statuses(task, wish)
    taken = _taken(task)
    wanted = [
        at
        for at in found
        if at not in taken and not closed.why(at, zone) and _is_wanted(wish.which, statuses.get(at, []))
    ]
    return wanted if wish.order == Backfill.Order.OLDEST else wanted[::-1]


def _check(task: Task, wish: Backfill, now: datetime) -> None:
    try:
        plan = task.plan()
    except ScheduleError as error:
        raise ValidationError({"since": f"The task's schedule cannot be read: {error.message}"}) from None
    if plan.waits or not (task.schedule or task.schedules):
        raise ValidationError({"since": "The task has no nominal times: its runs follow each other, or are triggered."})
    if wish.until > now:
        raise ValidationError({"until": "This must not be in the future: what is still to come fires by itself."})
    if wish.since >= wish.until:
        raise ValidationError({"until": "The end must be after the start."})


def _nominal(task: Task, wish: Backfill) -> Iterator[datetime]:
    """By the plans the task has had; before there was a task, by the one it has now."""
    early = times_of(task.plan(), wish.since, min(wish.until, task.created_at + TICK))
    return chain(early, expected_times(task, max(wish.since, task.created_at), wish.until))


def _statuses(task: Task, wish: Backfill) -> dict[datetime, list[str]]:
    """Of the runs of each nominal time, the oldest first. What somebody triggered by hand stands for none."""
    runs = task.runs.filter(scheduled_for__gte=wish.since, scheduled_for__lt=wish.until).exclude(origin="manual")
    found: dict[datetime, list[str]] = {}
    for at, status in runs.order_by("id").values_list("scheduled_for", "status"):
        found.setdefault(at, []).append(status)
    return found


def _taken(task: Task) -> set[datetime]:
    """What other backfills will come to."""
    running = task.backfills.filter(status=Backfill.Status.RUNNING)
    return {at for times, place in running.values_list("times", "position") for at in moments(times[place:])}


def _is_wanted(which: str, statuses: list[str]) -> bool:
    if any(status not in FINAL for status in statuses):
        return False
    if which == Backfill.Which.MISSING:
        return not {"succeeded", "failed"}.intersection(statuses)
    return which == Backfill.Which.ALL or statuses[-1:] == ["failed"]


def moments(times: list[int]) -> list[datetime]:
    """What `Backfill.times` says."""
    return [datetime.fromtimestamp(seconds, UTC) for seconds in times]
