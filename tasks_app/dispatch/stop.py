"""What becomes of ready runs that a gate does not let pass."""

from collections import Counter, defaultdict
from datetime import datetime

from django.db.models import Count

from tasks_app import actions, transitions
from tasks_app.gates import Need
from tasks_app.gates.need import REPLACE, SKIP
from tasks_app.models import FINAL, Permit, TaskRun

Shut = list[tuple[TaskRun, Need]]
"""Runs, in their order, each with what it cannot have."""


def stop(shut: Shut, now: datetime) -> None:
    """Let the runs wait at their gates, or skip or cancel them, as each gate says.

    The caller has locked the runs and the keys of what they need.
    """
    waiting = _waiting([need.key for _, need in shut if need.queue is not None])
    skipped: dict[str, list[TaskRun]] = defaultdict(list)
    parked: Shut = []
    replacing: dict[str, list[tuple[TaskRun, Need]]] = defaultdict(list)
    for run, need in shut:
        if need.otherwise == SKIP or (need.queue is not None and waiting[need.key] >= need.queue):
            skipped[need.gate].append(run)
            continue
        if need.otherwise == REPLACE:
            replacing[need.key].append((run, need))
        waiting[need.key] += 1
        parked.append((run, need))
    for reason, runs in skipped.items():
        transitions.skip([run.pk for run in runs], reason, now)
    transitions.park([(run.pk, need.key) for run, need in parked], now)
    for key, those in replacing.items():
        _replace(key, those[0][1].most, now)


def _waiting(keys: list[str]) -> Counter[str]:
    """How many runs wait at each key."""
    if not keys:
        return Counter()
    runs = TaskRun.objects.filter(status="pending", gate__in=set(keys)).exclude(gate="")
    return Counter(dict(runs.order_by().values_list("gate").annotate(Count("pk"))))


def _replace(key: str, most: int, now: datetime) -> None:
    """Of those that wait at `key` only the newest may, as many as fit; they take the place of the oldest."""
    queue = TaskRun.objects.filter(status="pending", gate=key).exclude(gate="").order_by("-id")
    waiting = list(queue.values_list("pk", flat=True))
    transitions.cancel(waiting[most:], now, reason="overlap")
    holders = TaskRun.objects.filter(pk__in=Permit.objects.filter(key=key).values("run_id")).exclude(status__in=FINAL)
    staying = list(holders.filter(cancel_requested_at=None).order_by("id"))
    too_many = len(staying) + len(waiting[:most]) - most
    if too_many > 0:
        actions.cancel(staying[:too_many], now)
