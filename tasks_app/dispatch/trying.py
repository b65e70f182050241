"""Circuits in one pass of assigning: what they let pass, and which runs try those that are due."""

from collections.abc import Iterable
from datetime import datetime

from tasks_app import circuit
from tasks_app.circuit import State
from tasks_app.dispatch.circuits import state_of, store
from tasks_app.dispatch.probes import NONE, tripped
from tasks_app.gates import World
from tasks_app.models import Circuit, Task, TaskRun
from workers_app.models import WorkerInfo


class Trying:
    """All circuits as they stand in one pass; made and used inside its transaction."""

    def __init__(self, now: datetime, *, probing: bool, troubled: bool) -> None:
        """`probing`: there are workers for a probe. Without them others had better look for one.

        Where no circuit is `troubled`, none is looked at.
        """
        self._now = now
        self._tripped = tripped(now, probing=probing) if troubled else NONE

    @property
    def world(self) -> World:
        return World(self._tripped.shut, frozenset(self._tripped.due))

    def slots(self, worker: str, free: int) -> int:
        """Of a worker's free slots those that may be used: none while it is set aside, and one for a probe."""
        target = circuit.worker(worker)
        if target in self._tripped.due:
            return min(free, 1)
        return 0 if target in self._tripped.shut else free

    def passed(self, choices: Iterable[tuple[TaskRun, WorkerInfo]]) -> None:
        """Runs have been assigned to workers: those that are probes keep their circuits half open until they end."""
        due = self._tripped.due
        probing: dict[str, tuple[Circuit, State]] = {}
        for run, worker in choices if due else ():
            own = run.task.protects if run.task.circuit != Task.CircuitMode.OFF else ""
            for target in (own, circuit.worker(worker.name)):
                if target in due:
                    probing[target] = due[target], circuit.probing(state_of(due[target]), (run.pk, run.attempt))
        store(list(probing.values()), self._now)
