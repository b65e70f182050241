"""A step of a flow waits for its parents; what they have ended like lets it go on, and nothing else."""

from collections.abc import Iterator

from tasks_app.gates.need import Need
from tasks_app.gates.world import World
from tasks_app.models import DEPENDENCY, TaskRun

FIELDS: tuple[str, ...] = ()


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    if run.gate == DEPENDENCY:
        yield Need(DEPENDENCY, most=0)
