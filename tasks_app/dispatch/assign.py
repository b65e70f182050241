"""Duty 4: give ready runs to workers that have a free slot for them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Count

from tasks_app import transitions
from tasks_app.dispatch.fan_out import begin
from tasks_app.dispatch.give import Giving
from tasks_app.dispatch.leases import Letter
from tasks_app.dispatch.matching import demand_of, served_by, unfit
from tasks_app.dispatch.trying import Trying
from tasks_app.models import ACTIVE, Task, TaskRun
from tasks_app.sql import claimed
from workers_app import registry
from workers_app.balance import Candidate
from workers_app.messaging.protocol import Assignment, Assignments, AttemptKey
from workers_app.models import WorkerInfo

LETTER_BYTES = 256 * 1024
"""A letter that has grown to this is sent, and the next one begun."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one pass has given out."""

    letters: list[Letter]
    """To be sent now that it is committed."""
    number: int
    """Of the runs in them."""
    starved: bool
    """Ready runs may be left, for want of a free slot."""
    again: bool
    """There may be more to give out: one should look again soon."""


def assign(now: datetime, placements: list[str], *, troubled: bool = True) -> Assigned:
    """Commit the assignments of one batch; `placements` are those of ready runs, `troubled` is as in `Outlook`."""
    if not placements:
        return Assigned([], number=0, starved=False, again=False)
    with transaction.atomic(savepoint=False):
        workers = list(claimed(registry.available(now)))
        circuits = Trying(now, probing=bool(workers), troubled=troubled)
        candidates = _candidates(workers, circuits)
        served = served_by(workers)
        offers = {placement: _matching(placement, workers, candidates, served) for placement in placements}
        giving = Giving(now, circuits.world, offers, sum(candidate.free for candidate in candidates.values()))
        giving.give()
        moved = set(transitions.assign(giving.choices, now)) | set(begin(giving.spread, now))
        choices = [(run, worker) for run, worker in giving.choices if run.pk in moved]
        by_id = {worker.pk: worker for worker in workers}
        giving.store(moved)
        circuits.passed((run, by_id[worker]) for run, worker in choices)
        WorkerInfo.objects.filter(pk__in={worker for _, worker in choices}).update(last_assigned_at=now)
        # Others that give out at this moment hold their workers: what is left has to wait for a look, not for a slot.
        crowded = giving.starved and registry.available(now).count() > len(workers)
    given = [(by_id[worker].boot_id, _assignment(run)) for run, worker in choices]
    again = giving.again or bool(giving.spread) or crowded
    return Assigned(list(_letters(given)), number=len(given), starved=giving.starved, again=again)


def _candidates(workers: Iterable[WorkerInfo], circuits: Trying) -> dict[int, Candidate]:
    """Each worker with the slots that the database knows to be free, and that its circuit lets be used."""
    counted = TaskRun.objects.filter(status__in=ACTIVE).values_list("worker").annotate(Count("pk")).order_by()
    used = dict(counted)
    return {
        worker.pk: Candidate(
            id=worker.pk,
            free=circuits.slots(worker.name, max(worker.max_tasks - used.get(worker.pk, 0), 0)),
            max_tasks=worker.max_tasks,
            last_assigned=worker.last_assigned_at.timestamp() if worker.last_assigned_at else 0.0,
            name=worker.name,
            labels=worker.labels,
            cpu_percent=worker.cpu_percent,
            memory_percent=worker.memory_percent,
        )
        for worker in workers
    }


def _matching(
    placement: str, workers: Iterable[WorkerInfo], candidates: dict[int, Candidate], served: dict[int, set[int]]
) -> list[Candidate]:
    """The candidates with a free slot that may carry out such runs."""
    demand = demand_of(placement)
    able = (worker.pk for worker in workers if candidates[worker.pk].free and not unfit(worker, demand, served))
    return [candidates[pk] for pk in able]


def _letters(given: list[tuple[UUID, Assignment]]) -> Iterator[Letter]:
    """For each worker as few letters as possible: one costs about as much as what it says."""
    open_letters: dict[UUID, list[Assignment]] = {}
    sizes: Counter[UUID] = Counter()
    for boot, assignment in given:
        open_letters.setdefault(boot, []).append(assignment)
        sizes[boot] += len(msgspec.msgpack.encode(assignment))
        if sizes[boot] > LETTER_BYTES:
            yield boot, Assignments(open_letters.pop(boot))
            del sizes[boot]
    for boot, items in open_letters.items():
        yield boot, Assignments(items)


def _assignment(run: TaskRun) -> Assignment:
    task: Task = run.task
    return Assignment(
        key=AttemptKey(run.pk, run.attempt),
        task=task.name,
        executor=task.executor,
        command=task.command,
        config=task.config,
        params=run.params,
        scheduled_for=run.scheduled_for.astimezone(UTC).isoformat(),
        timeout=task.timeout_seconds,
    )
