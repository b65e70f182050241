"""Rows of django-celery-beat, and what becomes of them."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from kombu.utils.json import loads

from tasks_app.models import PeriodicCheck, PeriodicMessage
from tasks_app.periodic.changes import sync
from tasks_app.periodic.fire import fire
from tests.tasks_app.factories import NOW

_numbers = itertools.count(1)


def every(number: int, period: str = "seconds") -> IntervalSchedule:
    return IntervalSchedule.objects.get_or_create(every=number, period=period)[0]


def crontab(fields: str, timezone: str = "UTC") -> CrontabSchedule:
    minute, hour, day_of_month, month_of_year, day_of_week = fields.split()
    return CrontabSchedule.objects.create(
        minute=minute,
        hour=hour,
        day_of_month=day_of_month,
        month_of_year=month_of_year,
        day_of_week=day_of_week,
        timezone=timezone,
    )


def a_periodic_task(made_at: datetime = NOW, **fields: Any) -> PeriodicTask:
    """Every ten seconds, unless told otherwise; made at `made_at`, from which it counts."""
    if not fields.keys() & {"interval", "crontab", "solar", "clocked"}:
        fields["interval"] = every(10)
    row = PeriodicTask.objects.create(**{"name": f"row-{next(_numbers)}", "task": "shop.tick"} | fields)
    PeriodicTask.objects.filter(pk=row.pk).update(date_changed=made_at)
    row.refresh_from_db()
    return row


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def look_at(now: datetime) -> list[dict[str, Any]]:
    """Notice edits, decide on what is due; return the messages to be sent, which are then forgotten."""
    sync(now)
    fire(now)
    return sent()


def sent() -> list[dict[str, Any]]:
    messages = [{"id": str(each.pk), **loads(each.body)} for each in PeriodicMessage.objects.order_by("pk")]
    PeriodicMessage.objects.all().delete()
    return messages


def planned(row: PeriodicTask) -> datetime | None:
    return PeriodicCheck.objects.get(pk=row.pk).check_at
