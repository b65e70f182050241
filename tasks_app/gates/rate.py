"""Only so many starts in a time: a sliding window, so that wherever one lays it, there are never more in it."""

from collections.abc import Iterator

from tasks_app.gates.keys import filled
from tasks_app.gates.need import WINDOW, Need
from tasks_app.gates.world import World
from tasks_app.models import TaskRun

FIELDS = ("namespace_id", "rate_count", "rate_seconds", "rate_key")
WAY_SECONDS = 0.1
"""Added to the window: of two runs one may take so much longer than the other from here to its start on a worker."""


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    task = run.task
    if task.rate_count and not run.fans_out:
        text = f"{task.namespace_id}:{filled(task.rate_key, run.params)}" if task.rate_key else f"task:{task.pk}"
        key = f"rate:{task.rate_seconds:g}:{text}"
        yield Need(key, most=task.rate_count, lasts=WINDOW, seconds=task.rate_seconds + WAY_SECONDS)
