"""A run takes slots of the pools its task names, as long as it is active."""

from collections.abc import Iterator

from tasks_app.gates.need import ATTEMPT, Need
from tasks_app.gates.world import World
from tasks_app.models import TaskRun

FIELDS = ("namespace_id", "pools")


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    for name, slots in run.task.pools.items() if not run.fans_out else ():
        pool = world.pool(run.task.namespace_id, name)
        key = pool.key if pool else f"pool:?{name}"
        yield Need(key, most=pool.slots if pool else 0, takes=slots, lasts=ATTEMPT)
