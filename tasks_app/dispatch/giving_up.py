"""Tasks that fail again and again pause themselves, where they are to."""

from collections.abc import Iterable
from datetime import datetime

from tasks_app import actions
from tasks_app.models import Task, TaskRun
from tasks_app.transitions import Ending
from workers_app.events import note


def pause_failing(endings: Iterable[Ending], now: datetime) -> None:
    """Look at the tasks of what has failed for good, after it is stored."""
    failed = {
        ending.run.task_id for ending in endings if ending.status == "failed" and ending.run.task.pause_after_failures
    }
    for task in Task.objects.filter(pk__in=failed, status=Task.Status.ACTIVE, deleted_at=None):
        number = task.pause_after_failures or 0
        ended = TaskRun.objects.filter(task=task, status__in=["succeeded", "failed"], fan_out=None)
        if task.held_until:  # what was before somebody resumed it is forgiven
            ended = ended.filter(completed_at__gt=task.held_until)
        latest = list(ended.order_by("-id").values_list("status", flat=True)[:number])
        if latest == ["failed"] * number:
            actions.pause(task, now, reason=f"It paused itself after {number} failures in a row.")
            note("paused_itself", "The task %s paused itself after %d failures in a row.", task.name, number)
