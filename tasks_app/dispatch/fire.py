"""Duty 3: turn every due nominal time into a run."""

from datetime import datetime

from django.db import transaction

from tasks_app import firing
from tasks_app.models import Task, TaskRun
from tasks_app.sql import claimed

BATCH = 250
"""Tasks per pass."""


def fire(now: datetime) -> list[TaskRun]:
    """Return the runs made (those recorded as skipped too)."""
    with transaction.atomic(savepoint=False):
        ready = Task.objects.filter(Task.FIRING, next_fire_at__lte=now).order_by("next_fire_at")
        ready = ready.select_related("calendar")
        return firing.fire(claimed(ready)[:BATCH], now)
