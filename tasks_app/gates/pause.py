"""Runs of a task that is paused, or held by a pause of others, wait; unless it is being drained."""

from collections.abc import Iterator

from tasks_app.gates.need import Need
from tasks_app.gates.world import World
from tasks_app.models import DRAINING, HELD, Task, TaskRun

FIELDS = ("status", "hold", "deleted_at")


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    task = run.task
    paused = task.status == Task.Status.PAUSED and task.hold != DRAINING
    if paused or task.hold >= HELD or task.deleted_at:
        yield Need(f"pause:{task.pk}", most=0)
