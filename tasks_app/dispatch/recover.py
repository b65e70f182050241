"""Duty 2: take as lost what a worker held when its lease ended."""

from datetime import datetime

from django.db import transaction

from tasks_app import transitions
from tasks_app.dispatch import decide
from tasks_app.dispatch.giving_up import pause_failing
from tasks_app.models import ACTIVE, TaskRun
from workers_app import registry
from workers_app.models import WorkerInfo

BATCH = 500


def recover(now: datetime, *, blame: bool = True) -> tuple[list[WorkerInfo], list[TaskRun]]:
    """Return the workers now taken as offline, and the runs whose attempt was lost with a worker.

    With `blame` a run counts it as a loss. Whoever has not listened for as long as a lease lasts cannot know
    whether the worker died, or just was not heard.
    """
    with transaction.atomic():
        gone = registry.expire(now)
        lost = TaskRun.objects.filter(status__in=ACTIVE, worker__status="offline").values_list("pk", "attempt")
        runs = transitions.locked(list(lost[:BATCH]))
        endings = [decide.lost(run, now, blame=blame) for run in runs]
        transitions.end(endings, now)
        pause_failing(endings, now)
    return gone, runs
