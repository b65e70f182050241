"""Duty 0: renew the leases of workers that are alive, and settle what they and the database say differently.

It comes first and commits by itself: whatever may hold up the reports must not cost workers their leases.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from tasks_app.models import ACTIVE, TaskRun
from workers_app import environment, registry
from workers_app.events import note
from workers_app.messaging import protocol
from workers_app.messaging.protocol import AttemptKey
from workers_app.models import WorkerInfo

LEASE_SECONDS = environment.number("SCHEDULER_LEASE_SECONDS", 10, 5, 3600)
"""So long a worker may act without being heard. All dispatchers have the same."""
IN_FLIGHT = timedelta(seconds=0.75)
"""So long after it was assigned, an attempt may still be on its way to its worker, or the word of its start to us."""
ASKED = 500
"""After at most so many attempts we ask at once."""

Letter = tuple[UUID, protocol.Message]
"""A worker's boot id and what to tell it."""


def renew(messages: list[protocol.ToDispatcher], now: datetime) -> list[Letter]:
    """Commit the heartbeats among `messages`; return the answers to send afterwards.

    An attempt whose end is reported by another of the messages needs no word.
    """
    beats = sorted((m for m in messages if isinstance(m, protocol.Heartbeat)), key=lambda beat: beat.seq)
    if not beats:
        return []
    newest = {beat.boot: beat for beat in beats}
    over = {item.key for m in messages if isinstance(m, protocol.Reports) for item in m.items if _is_end(item)}
    with transaction.atomic():
        workers = registry.beat(newest, now, LEASE_SECONDS)
        active = _active(workers.values())
    return [
        (boot, _lease(newest[boot], worker, active.get(worker.pk, []), over, now))
        for boot, worker in workers.items()
        if newest[boot].state != "offline"
    ]


def _is_end(report: protocol.Report) -> bool:
    return isinstance(report, protocol.Finished | protocol.Returned)


def _active(workers: Iterable[WorkerInfo]) -> dict[int, list[TaskRun]]:
    """The active runs of each worker, with just the fields that reconciling needs."""
    runs = TaskRun.objects.filter(status__in=ACTIVE, worker__in=list(workers))
    found: dict[int, list[TaskRun]] = {}
    for run in runs.only("id", "attempt", "worker_id", "assigned_at", "cancel_requested_at"):
        found.setdefault(run.worker_id or 0, []).append(run)
    return found


def _lease(
    beat: protocol.Heartbeat, worker: WorkerInfo, active: list[TaskRun], over: set[AttemptKey], now: datetime
) -> protocol.Lease:
    if worker.status == WorkerInfo.Status.OFFLINE:
        return protocol.Lease(beat.seq, 0.0, cancel=[], unknown=[], now=now.timestamp())
    ours = {AttemptKey(run.pk, run.attempt): run for run in active}
    held = set(beat.holds)
    cancel = [key for key in held - over if key not in ours or ours[key].cancel_requested_at]
    unknown = [key for key in ours.keys() - held - over if _has_arrived(ours[key], now)]
    for key in cancel:
        note("cancel_again" if key in ours else "not_ours", "Worker %s is told to end %s.", worker.name, _text(key))
    for key in unknown:
        note("asked_after", "Worker %s is asked after %s, which it does not hold.", worker.name, _text(key))
    return protocol.Lease(beat.seq, LEASE_SECONDS, cancel, unknown, now.timestamp())


def _text(key: AttemptKey) -> str:
    return f"attempt {key.attempt} of run {key.run}"


def _has_arrived(run: TaskRun, now: datetime) -> bool:
    return run.assigned_at is None or now - run.assigned_at > IN_FLIGHT


def ask(now: datetime) -> list[Letter]:
    """Letters that ask live workers after what they should have begun by now.

    Whoever assigned it may have been killed before he sent it, and the next heartbeat may be two seconds away. Asking
    in vain does no harm: a worker answers only for what it does not hold.
    """
    overdue = TaskRun.objects.filter(status="assigned", assigned_at__lt=now - IN_FLIGHT)
    heard = overdue.filter(worker__last_heartbeat__gte=now - registry.SILENT).exclude(worker__status="offline")
    found: dict[UUID, list[AttemptKey]] = {}
    for boot, run, attempt in heard.values_list("worker__boot_id", "pk", "attempt")[:ASKED]:
        found.setdefault(boot, []).append(AttemptKey(run, attempt))
    return [(boot, protocol.Ask(keys)) for boot, keys in found.items()]
