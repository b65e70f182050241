"""For a time after a run has started, others with the same key are skipped."""

from collections.abc import Iterator

from tasks_app.gates.keys import filled
from tasks_app.gates.need import ONCE, SKIP, Need
from tasks_app.gates.world import World
from tasks_app.models import TaskRun

FIELDS = ("namespace_id", "unique_key", "unique_seconds")


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    task = run.task
    if task.unique_seconds and run.fan_out_id is None:
        text = f"{task.namespace_id}:{filled(task.unique_key, run.params)}" if task.unique_key else f"task:{task.pk}"
        yield Need(f"unique:{text}", most=1, lasts=ONCE, seconds=task.unique_seconds, otherwise=SKIP)
