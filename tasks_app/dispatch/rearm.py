"""Duty: tasks with a fixed delay (`@after`) are due again so long after their last run has ended."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, Subquery

from tasks_app.models import FINAL, Task, TaskRun
from tasks_app.schedule import ScheduleError
from tasks_app.sql import claimed, update

BATCH = 250
"""Tasks per pass."""


def rearm(now: datetime) -> list[int]:
    """Plan the next run of tasks whose last one has ended, and the first of new ones; return their primary keys."""
    runs = TaskRun.objects.filter(task=OuterRef("pk"), origin="schedule")
    ended = runs.order_by().values("task").annotate(last=Max("completed_at")).values("last")
    idle = Task.objects.filter(~Exists(runs.filter(~Q(status__in=FINAL))), Task.WAITING)
    with transaction.atomic(savepoint=False):
        tasks = list(claimed(idle.annotate(ended=Subquery(ended)))[:BATCH])
        return update(Task, ["id"], [_planned(task, now) for task in tasks])


def _planned(task: Task, now: datetime) -> dict[str, object]:
    try:
        plan = task.plan()
        following = plan.next_after(task.ended) if task.ended else plan.next_after(now - plan.lag)  # type: ignore[attr-defined]
    except ScheduleError:
        following = None
    # Where nothing follows any more, nobody needs to look again.
    return {"id": task.pk, "next_fire_at": following and max(following, now), "waits": following is not None}
