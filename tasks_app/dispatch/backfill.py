"""Duty: each backfill that is running gets as many open runs as it may have."""

from datetime import datetime

from django.db import transaction
from django.db.models import Count

from tasks_app import flows
from tasks_app.backfilling import moments
from tasks_app.models import FINAL, Backfill, TaskRun, run_of
from tasks_app.sql import claimed, update

BATCH = 100
"""Backfills per pass."""


def release(now: datetime) -> list[TaskRun]:
    """Make the next runs, and complete the backfills of which all have ended; return the runs made."""
    with transaction.atomic(savepoint=False):
        running = Backfill.objects.filter(status=Backfill.Status.RUNNING).select_related("task").defer("times")
        backfills = list(claimed(running.order_by("id"))[:BATCH])
        runs = TaskRun.objects.filter(backfill__in=backfills).exclude(status__in=FINAL)
        busy = dict(runs.order_by().values_list("backfill").annotate(Count("id")))
        free = {each.pk: min(each.parallel - busy.get(each.pk, 0), each.total - each.position) for each in backfills}
        times = dict(Backfill.objects.filter(pk__in=[pk for pk, n in free.items() if n > 0]).values_list("pk", "times"))
        made = [
            _run(each, at, now)
            for each in backfills
            for at in moments(times.get(each.pk, [])[each.position : each.position + max(free[each.pk], 0)])
        ]
        flows.create(made, now)
        changed = [_changed(each, max(free[each.pk], 0), busy.get(each.pk, 0), now) for each in backfills]
        update(Backfill, ["id"], changed)
    return made


def _run(backfill: Backfill, at: datetime, now: datetime) -> TaskRun:
    return run_of(
        backfill.task,
        now=now,
        origin=TaskRun.Origin.BACKFILL,
        scheduled_for=at,
        backfill=backfill,
        created_by_id=backfill.created_by_id,
    )


def _changed(backfill: Backfill, made: int, busy: int, now: datetime) -> dict[str, object]:
    position = backfill.position + made
    over = position == backfill.total and not made and not busy
    return {
        "id": backfill.pk,
        "position": position,
        "status": Backfill.Status.COMPLETED if over else backfill.status,
        "completed_at": now if over else None,
    }
