"""Duty 1: write down what workers reported, renew their leases, and settle what does not agree."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from tasks_app import transitions
from tasks_app.dispatch import decide
from tasks_app.models import ACTIVE, RunLog, TaskRun
from tasks_app.sql import insert
from workers_app import registry
from workers_app.messaging import protocol
from workers_app.messaging.protocol import AttemptKey
from workers_app.models import WorkerInfo

LEASE_SECONDS = 10.0
IN_FLIGHT = timedelta(seconds=2)
"""So long after it was assigned, an attempt may still be on its way to its worker."""

Letter = tuple[UUID, protocol.Message]
"""A worker's boot id and what to tell it."""


def record(messages: list[protocol.ToDispatcher], now: datetime) -> list[Letter]:
    """Commit all of `messages` in one transaction; return the answers to send afterwards."""
    if not messages:
        return []
    reports = [item for message in messages if isinstance(message, protocol.Reports) for item in message.items]
    heartbeats = [message for message in messages if isinstance(message, protocol.Heartbeat)]
    with transaction.atomic():
        # An attempt that ended since it started is written once: its end knows when it started.
        over = {r.key for r in reports if isinstance(r, protocol.Finished) and r.seconds is not None}
        _started([r for r in reports if isinstance(r, protocol.Started) and r.key not in over], now)
        _output([r for r in reports if isinstance(r, protocol.Output)])
        _ended([r for r in reports if isinstance(r, protocol.Finished | protocol.Returned)], now)
        return _leases(heartbeats, now)


def _started(reports: list[protocol.Started], now: datetime) -> None:
    transitions.start((r.key.run, r.key.attempt, now - timedelta(seconds=r.ago)) for r in reports)


def _output(pieces: list[protocol.Output]) -> None:
    """Store output of current attempts; that of an earlier one came too late and is dropped."""
    if not pieces:
        return
    current = set(TaskRun.objects.filter(pk__in={p.key.run for p in pieces}).values_list("pk", "attempt"))
    rows = [
        RunLog(run_id=p.key.run, position=RunLog.position_of(p.key.attempt, p.piece), text=p.text)
        for p in pieces
        if (p.key.run, p.key.attempt) in current
    ]
    insert(rows)


def _ended(reports: list[protocol.Finished | protocol.Returned], now: datetime) -> None:
    # Of several attempts of a run only the highest can be the current one.
    by_run = {report.key.run: report for report in sorted(reports, key=lambda report: report.key.attempt)}
    runs = transitions.locked((run, report.key.attempt) for run, report in by_run.items())
    endings = [_ending(run, by_run[run.pk], now) for run in runs]
    transitions.end(endings, now)


def _ending(run: TaskRun, report: protocol.Finished | protocol.Returned, now: datetime) -> transitions.Ending:
    if isinstance(report, protocol.Finished):
        if report.seconds is not None:
            # What the worker's monotonic clock measured, laid back from the database's time.
            run.started_at = max(run.assigned_at or now, now - timedelta(seconds=report.seconds))
        return decide.finished(run, report, now)
    return decide.returned(run, report.reason, now)


def _leases(heartbeats: list[protocol.Heartbeat], now: datetime) -> list[Letter]:
    if not heartbeats:
        return []
    newest = {beat.boot: beat for beat in sorted(heartbeats, key=lambda beat: beat.seq)}
    workers = registry.beat(newest, now, LEASE_SECONDS)
    active = _active(workers.values())
    return [
        (boot, _lease(newest[boot], worker, active, now))
        for boot, worker in workers.items()
        if newest[boot].state != "offline"
    ]


def _active(workers: Iterable[WorkerInfo]) -> dict[int, list[TaskRun]]:
    """The active runs of each worker, with just the fields that reconciling needs."""
    runs = TaskRun.objects.filter(status__in=ACTIVE, worker__in=list(workers))
    found: dict[int, list[TaskRun]] = {}
    for run in runs.only("id", "attempt", "worker_id", "assigned_at", "cancel_requested_at"):
        found.setdefault(run.worker_id or 0, []).append(run)
    return found


def _lease(
    beat: protocol.Heartbeat, worker: WorkerInfo, active: dict[int, list[TaskRun]], now: datetime
) -> protocol.Lease:
    if worker.status == WorkerInfo.Status.OFFLINE:
        return protocol.Lease(beat.seq, 0.0, cancel=[], unknown=[], now=now.timestamp())
    ours = {AttemptKey(run.pk, run.attempt): run for run in active.get(worker.pk, [])}
    held = set(beat.holds)
    cancel = [key for key in held if key not in ours or ours[key].cancel_requested_at]
    unknown = [key for key, run in ours.items() if key not in held and _has_arrived(run, now)]
    return protocol.Lease(beat.seq, LEASE_SECONDS, cancel, unknown, now.timestamp())


def _has_arrived(run: TaskRun, now: datetime) -> bool:
    return run.assigned_at is None or now - run.assigned_at > IN_FLIGHT
