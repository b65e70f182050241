"""What a pending run must pass before it may be assigned."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import CharField, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat

from tasks_app import circuit, transitions
from tasks_app.circuit import CLOSED, HALF_OPEN, OPEN, State
from tasks_app.dispatch.circuits import state_of, store
from tasks_app.dispatch.probes import NONE, tripped
from tasks_app.models import DRAINING, HELD, Circuit, Task, TaskRun
from tasks_app.sql import claimed
from workers_app.models import WorkerInfo

SKIPS = 2000
"""Runs skipped in one pass."""


class Gates:
    """All gates as they stand in one pass of assigning; made and used inside its transaction."""

    def __init__(self, now: datetime, *, probing: bool, troubled: bool) -> None:
        """`probing`: there are workers for a probe. Without them others had better look for one.

        Where no circuit is `troubled`, none is looked at.
        """
        self._now = now
        self._tripped = tripped(now, probing=probing) if troubled else NONE
        self._guarding = not all(map(circuit.is_worker, [*self._tripped.shut, *self._tripped.due]))
        self._probes: dict[UUID, str] = {}

    def slots(self, worker: str, free: int) -> int:
        """Of a worker's free slots those that may be used: none while it is set aside, and one for a probe."""
        target = circuit.worker(worker)
        if target in self._tripped.due:
            return min(free, 1)
        return 0 if target in self._tripped.shut else free

    def ready(self, placements: list[str]) -> QuerySet[TaskRun]:
        """Pending runs that pass every gate, the most urgent first; `placements` are those that have a free worker."""
        runs = _in_time(self._now, placements)
        if not self._guarding:
            return runs
        self._probes = self._oldest(runs)
        held = _heeding(Circuit.objects.exclude(state=CLOSED))
        return runs.filter(~Q(task__in=held) | Q(pk__in=list(self._probes)))

    def _oldest(self, runs: QuerySet[TaskRun]) -> dict[UUID, str]:
        """For each circuit that a probe may pass, the run that would be it."""
        due = [row.pk for target, row in self._tripped.due.items() if not circuit.is_worker(target)]
        if not due:
            return {}
        waiting = runs.filter(task__in=_heeding(Circuit.objects.filter(pk__in=due))).order_by()
        by_task = waiting.values_list("task", "task__target").annotate(oldest=Min(Cast("id", CharField())))
        youngest_first = sorted(by_task, key=lambda row: row[-1], reverse=True)
        found = {target or circuit.task(task): oldest for task, target, oldest in youngest_first}
        return {UUID(oldest): target for target, oldest in found.items()}

    def passed(self, choices: Iterable[tuple[TaskRun, WorkerInfo]]) -> None:
        """Runs have been assigned to workers: those that are probes keep their circuits half open until they end."""
        due = self._tripped.due
        probing: dict[str, tuple[Circuit, State]] = {}
        for run, worker in choices:
            for target in (self._probes.get(run.pk, ""), circuit.worker(worker.name)):
                if target in due:
                    probing[target] = due[target], circuit.probing(state_of(due[target]), (run.pk, run.attempt))
        store(list(probing.values()), self._now)

    def skip(self, placements: list[str]) -> int:
        """Skip ready runs that an open circuit holds up, where their task wants that; return how many."""
        if not self._guarding:
            return 0
        shut = Circuit.objects.filter(Q(state=HALF_OPEN) | Q(state=OPEN, retry_at__gt=self._now))
        skipping = list(_heeding(shut).filter(circuit=Task.CircuitMode.SKIP).values_list("pk", flat=True))
        runs = _in_time(self._now, placements).filter(task__in=skipping).only("id")
        return transitions.skip([run.pk for run in claimed(runs)[:SKIPS]], "circuit", self._now) if skipping else 0


def _in_time(now: datetime, placements: list[str]) -> QuerySet[TaskRun]:
    """Pending runs that pass every gate but the circuit's."""
    return (
        TaskRun.objects.filter(status="pending", placement__in=placements)
        .filter(available_at__lte=now)  # time
        .filter(Q(task__status="active", task__hold__lt=HELD) | Q(task__status="paused", task__hold=DRAINING))  # pause
        .filter(task__deleted_at=None)
        .order_by("-priority", "available_at", "id")
    )


def _heeding(circuits: QuerySet[Circuit]) -> QuerySet[Task]:
    """The tasks that one of `circuits` guards, of those that want one."""
    guarded = Coalesce("target", Concat(Value("task:"), Cast("id", CharField())))  # as `Task.protects`
    wanting = Task.objects.exclude(circuit=Task.CircuitMode.OFF).alias(guarded=guarded)
    return wanting.filter(guarded__in=circuits.values("target"))
