"""Of all runs in a namespace whose task names the same mutex, one at a time."""

from collections.abc import Iterator

from tasks_app.gates.keys import filled
from tasks_app.gates.need import ATTEMPT, Need
from tasks_app.gates.world import World
from tasks_app.models import TaskRun

FIELDS = ("namespace_id", "mutex")


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    if run.task.mutex and not run.fans_out:
        yield Need(f"mutex:{run.task.namespace_id}:{filled(run.task.mutex, run.params)}", most=1, lasts=ATTEMPT)
