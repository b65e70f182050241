"""What a ready run must pass before it may be assigned, beside time and a free slot.

A gate is a module: `needs(run, world)` says what a run needs there, `FIELDS` which of its task's fields tell. A new one
is a new module and its place in `GATES`, in the order in which they are asked: a run waits at the first that is shut.
A run that fans out starts nothing itself; what it does to others is up to its items, and so are most gates.
"""

from tasks_app.gates import circuit, dependency, mutex, overlap, pause, pool, rate, unique
from tasks_app.gates.need import Need
from tasks_app.gates.world import World
from tasks_app.models import TaskRun

GATES = (dependency, pause, circuit, overlap, mutex, pool, rate, unique)
FIELDS = sorted({"fan_out", "strategy", *(name for gate in GATES for name in gate.FIELDS)})
"""Of a task, by which its gates tell what a run needs."""

__all__ = ["FIELDS", "GATES", "Need", "World", "needs"]


def needs(run: TaskRun, world: World) -> list[Need]:
    """All that `run` needs, in the order of the gates."""
    return [need for gate in GATES for need in gate.needs(run, world)]
