"""Of one task only so many runs at once. A run that is to be tried again is not over, so it keeps its place.

The items of a fan-out are one run together.
"""

from collections.abc import Iterator

from tasks_app.gates.need import REPLACE, RUN, SKIP, WAIT, Need
from tasks_app.gates.world import World
from tasks_app.models import Task, TaskRun

FIELDS = ("overlap", "max_parallel", "max_queued")
_OTHERWISE = {Task.Overlap.QUEUE: WAIT, Task.Overlap.SKIP: SKIP, Task.Overlap.REPLACE: REPLACE}


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    task = run.task
    if task.overlap != Task.Overlap.ALLOW and run.fan_out_id is None:
        otherwise = _OTHERWISE[Task.Overlap(task.overlap)]
        yield Need(f"overlap:{task.pk}", task.max_parallel, lasts=RUN, otherwise=otherwise, queue=task.max_queued)
