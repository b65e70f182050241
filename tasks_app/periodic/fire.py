"""Look at periodic tasks; what is due becomes a message to be sent, decided and stored in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django_celery_beat.models import PeriodicTask
from kombu.utils.json import dumps

from tasks_app.models import PeriodicCheck, PeriodicMessage
from tasks_app.periodic.entry import Entry
from tasks_app.sql import claimed, insert, update
from workers_app.events import note

BATCH = 250
"""Rows per pass."""
SOONEST = timedelta(milliseconds=10)
"""Intervals may be as short as a microsecond."""
HELD = timedelta(seconds=1)
"""What somebody else holds at the moment is looked at again after so long."""
BROKEN = timedelta(hours=1)
"""And what cannot be read, unless it is edited before."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one row."""

    check: PeriodicCheck
    check_at: datetime | None
    task: PeriodicTask | None = None
    """As it shall be written; None: as it is."""
    message: PeriodicMessage | None = None


def fire(now: datetime) -> int:
    """Return how many rows were looked at."""
    with transaction.atomic(savepoint=False):
        checks = list(claimed(PeriodicCheck.objects.filter(check_at__lte=now).order_by("check_at"))[:BATCH])
        wanted = PeriodicTask.objects.filter(pk__in=[check.pk for check in checks])
        related = wanted.select_related("interval", "crontab", "solar", "clocked")
        tasks = {task.pk: task for task in claimed(related)}
        there = tasks.keys() if len(tasks) == len(checks) else set(wanted.values_list("pk", flat=True))
        decisions = [_decide(check, tasks.get(check.pk), now) for check in checks if check.pk in there]
        insert([each.message for each in decisions if each.message])
        update(PeriodicTask, ["id"], [_written(each.task) for each in decisions if each.task])
        update(PeriodicCheck, ["periodic_task"], [_planned(each, now) for each in decisions])
        PeriodicCheck.objects.filter(pk__in=[check.pk for check in checks if check.pk not in there]).delete()
    return len(checks)


def _decide(check: PeriodicCheck, task: PeriodicTask | None, now: datetime) -> Decision:
    if task is None:
        return Decision(check, now + HELD)
    if not task.enabled:
        return Decision(check, None)
    try:
        entry = Entry(task, now, check.fired_at)
        due, seconds = entry.is_due()
        following = now + max(timedelta(seconds=seconds), SOONEST)
        message = entry.message() if due else None
    except Exception as error:  # noqa: BLE001 - whatever it is that cannot be read there, the others go on
        note("periodic_task_broken", "Periodic task “%s” cannot be fired: %s", task.name, error)
        return Decision(check, now + BROKEN)
    if not task.enabled:
        return Decision(check, None, _disabled(task, now))
    if message is None:
        return Decision(check, following)
    return Decision(
        check,
        following if not task.one_off else None,
        _disabled(task, now) if task.one_off else _counted(task, now),
        PeriodicMessage(body=dumps(message | {"expires": _expires(message, now)})),
    )


def _counted(task: PeriodicTask, now: datetime) -> PeriodicTask:
    task.last_run_at = now
    task.total_run_count += 1
    return task


def _disabled(task: PeriodicTask, now: datetime) -> PeriodicTask:
    """As its own scheduler leaves what is over."""
    task.enabled, task.last_run_at, task.total_run_count, task.date_changed = False, None, 0, now
    return task


def _expires(message: dict[str, Any], now: datetime) -> datetime | None:
    """Seconds are counted from now, and not from when it can be sent."""
    expires = message.get("expires")
    return now + timedelta(seconds=expires) if isinstance(expires, int) else expires


def _planned(decision: Decision, now: datetime) -> dict[str, Any]:
    fired_at = now if decision.message else decision.check.fired_at
    return {"periodic_task": decision.check.pk, "check_at": decision.check_at, "fired_at": fired_at}


def _written(task: PeriodicTask) -> dict[str, Any]:
    names = ("id", "enabled", "last_run_at", "total_run_count", "date_changed")
    return {name: getattr(task, name) for name in names}
