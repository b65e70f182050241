"""What people do to calendars."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from tasks_app import actions, calendars, outbox, schedule
from tasks_app.actions import NotPossible
from tasks_app.models import Calendar, Task
from tasks_app.schedule import ScheduleError


def save(calendar: Calendar, now: datetime) -> None:
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
    save(calendar, now)


def _replan(task: Task, before: Calendar, after: Calendar, now: datetime) -> None:
    """Plan `task`, which is locked, by a calendar that was edited."""
    task.calendar = before
    actions.settle(task, now, forget=True)
    actions.remember(task, now)
    task.calendar = after
    task.plan_next(now)
    task.planned_at = now
    task.save(update_fields=["next_fire_at", "waits", "planned_at", "updated_at"])


def delete(calendar: Calendar) -> None:
    """Take a calendar away; raises `NotPossible` while tasks use it."""
    with transaction.atomic():
        Calendar.objects.select_for_update().get(pk=calendar.pk)
        Task.objects.filter(calendar=calendar).exclude(deleted_at=None).update(calendar=None)
        names = list(Task.objects.filter(calendar=calendar).order_by("name").values_list("name", flat=True)[:5])
        if names:
            raise NotPossible(f"Tasks use the calendar: {', '.join(names)}. Take it out of them first.")
        calendar.delete()
