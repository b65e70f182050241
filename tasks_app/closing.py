"""Which calendars hold for a task."""

import logging
from collections.abc import Iterable
from datetime import datetime

from tasks_app.calendars import Calendar as Days
from tasks_app.calendars import CalendarError, Closures
from tasks_app.models import Calendar, Task
from tasks_app.schedule import Fire

logger = logging.getLogger(__name__)


def general() -> list[Calendar]:
    """Calendars that hold for all tasks of their namespace, or of all."""
    return list(Calendar.objects.filter(for_all=True).order_by("name"))


def closures(task: Task, calendars: Iterable[Calendar]) -> Closures:
    """What its own calendar and those of `calendars` that hold for it close.

    One that cannot be read any more (the library of public holidays knows a country no longer) closes nothing.
    """
    own = [task.calendar] if task.calendar else []
    holding = [*own, *(each for each in calendars if each.namespace_id in (None, task.namespace_id))]
    read = ((calendar.name, _read(calendar)) for calendar in holding)
    return Closures(tuple((name, days) for name, days in read if days))


def fires(task: Task, after: datetime, count: int) -> list[tuple[Fire, str]]:
    """The first `count` nominal times after `after`, each with why it is closed; raises `ScheduleError`."""
    plan, closed = task.plan(), closures(task, general())
    return [(fire, closed.why(fire.at, plan.zone)) for fire in plan.fires(after, count)]


def _read(calendar: Calendar) -> Days | None:
    try:
        return calendar.read()
    except CalendarError:
        logger.exception("The calendar %s closes nothing: it cannot be read.", calendar)
        return None
