"""Gates at the workers: who goes first, who may carry it out, who has room."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Q

from tasks_app import circuit
from tasks_app.dispatch.matching import demand_of, served_by, unfit
from tasks_app.explaining.line import Line, Question, counted, moment
from tasks_app.models import ACTIVE, TaskRun, set_aside_until
from workers_app.models import WorkerInfo

MOST = 10_000
SHOWN = 5


def priority(question: Question) -> Line:
    """Ready runs of the same kind that go first."""
    run = question.run
    before = Q(priority__gt=run.priority) | Q(priority=run.priority, available_at__lt=run.available_at)
    before |= Q(priority=run.priority, available_at=run.available_at, pk__lt=run.pk)
    ready = TaskRun.objects.filter(status="pending", gate="", placement=run.placement, available_at__lte=question.now)
    number = ready.filter(before)[:MOST].count()
    if not number:
        return Line("priority", True, "No ready run of the same kind goes before it.")
    more = "At least " if number == MOST else ""
    value = f"{more}{counted(number, 'ready run')} of the same kind {'goes' if number == 1 else 'go'} before it"
    return Line("priority", True, f"{value}, by priority or age.")


def labels(question: Question) -> Line:
    workers = question.workers
    if not workers:
        last = WorkerInfo.objects.order_by("-last_heartbeat").first()
        since = last.last_heartbeat if last else None
        return Line("worker labels", False, "No worker is online.", since, "A worker is started.")
    demand, served = demand_of(question.run.placement), served_by(workers)
    refused = {worker.name: why for worker in workers if (why := unfit(worker, demand, served))}
    value = f"{len(workers) - len(refused):,} of {counted(len(workers), 'worker')} online may carry it out."
    told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:SHOWN])
    if len(refused) < len(workers):
        return Line("worker labels", True, f"{value} {f'Not {told}.' if told else ''}".strip())
    return Line("worker labels", False, f"{value} {told}.", None, "A worker that fits is started.")


def capacity(question: Question) -> Line:
    demand, served = demand_of(question.run.placement), served_by(question.workers)
    able = [worker for worker in question.workers if not unfit(worker, demand, served)]
    counts = TaskRun.objects.filter(status__in=ACTIVE, worker__in=able).values_list("worker").annotate(Count("pk"))
    used = dict(counts.order_by())
    tripped = question.world.shut | question.world.due
    aside = [each for each in able if circuit.worker(each.name) in tripped]
    free = sum(max(each.max_tasks - used.get(each.pk, 0), 0) for each in able if each not in aside)
    slots = sum(each.max_tasks for each in able)
    value = f"{free:,} of {counted(slots, 'slot')} free on {counted(len(able), 'worker')} that may carry it out."
    if aside:
        named = ", ".join(each.name for each in aside[:SHOWN])
        value += f" Set aside until {moment(_until(aside))}, as they could not start what they were given: {named}."
    if free:
        return Line("capacity", True, value)
    return Line("capacity", False, value, None, "A run on one of them ends, or a worker is added.")


def _until(aside: list[WorkerInfo]) -> datetime | None:
    """When the first of them is tried again."""
    found = WorkerInfo.objects.filter(pk__in=[each.pk for each in aside]).annotate(again=set_aside_until())
    return min((at for at in found.values_list("again", flat=True) if at), default=None)
