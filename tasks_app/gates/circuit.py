"""While the circuit of what a task calls is open its runs wait, or are skipped; when it is due, one may try."""

from collections.abc import Iterator

from tasks_app.gates.need import SKIP, WAIT, Need
from tasks_app.gates.world import World
from tasks_app.models import Task, TaskRun

FIELDS = ("circuit", "target")


def needs(run: TaskRun, world: World) -> Iterator[Need]:
    task = run.task
    if task.circuit == Task.CircuitMode.OFF or run.fans_out or not (world.shut or world.due):
        return
    if task.protects in world.shut or task.protects in world.due:
        otherwise = SKIP if task.circuit == Task.CircuitMode.SKIP else WAIT
        yield Need(f"circuit:{task.protects}", most=int(task.protects in world.due), otherwise=otherwise)
