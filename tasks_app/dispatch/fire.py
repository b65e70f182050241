"""Duty 3: turn every due nominal time into a run."""

from datetime import datetime

from django.db import transaction

from tasks_app import transitions
from tasks_app.due import due, runs
from tasks_app.models import Task, TaskRun
from tasks_app.sql import claimed, update

BATCH = 250
"""Tasks per pass."""


def fire(now: datetime) -> list[TaskRun]:
    """Return the runs made (those recorded as missed too)."""
    with transaction.atomic(savepoint=False):
        ready = Task.objects.filter(status="active", deleted_at=None, next_fire_at__lte=now).order_by("next_fire_at")
        fired = [due(task, now) for task in claimed(ready)[:BATCH]]
        made = [run for each in fired for run in runs(each, now)]
        transitions.create(made)
        update(Task, ["id"], [{"id": each.task.pk, "next_fire_at": each.next} for each in fired])
    return made
