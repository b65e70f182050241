"""Heartbeats → `WorkerInfo`: who is alive, and until when a worker may act."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from tasks_app.sql import claimed, insert, update
from workers_app.messaging.protocol import Heartbeat
from workers_app.models import WorkerInfo

SILENT = timedelta(seconds=4)
"""Who was not heard for so long, two heartbeats, is given nothing new: what he is given may be lost with him."""


def beat(heartbeats: dict[UUID, Heartbeat], now: datetime, lease_seconds: float) -> dict[UUID, WorkerInfo]:
    """Record the newest heartbeat of each boot; return by boot id the workers to answer.

    Those that are offline have been given up, whatever they say. A heartbeat that is not newer than
    the last one recorded changes nothing and is not answered: its worker may well be alive.
    """
    _register(heartbeats, now)
    known = WorkerInfo.objects.in_bulk(list(heartbeats), field_name="boot_id")
    rows = [_row(known[boot], beat, now, lease_seconds) for boot, beat in heartbeats.items()]
    condition = "target.status <> 'offline' AND target.heartbeat_seq < given.heartbeat_seq"
    renewed = set(update(WorkerInfo, ["id"], rows, condition))
    refused = [worker.pk for worker in known.values() if worker.pk not in renewed]
    # Asked after the update: another dispatcher may have given the worker up, or heard from it, in between.
    given_up = WorkerInfo.objects.filter(pk__in=refused, status="offline")
    alive = {boot: worker for boot, worker in known.items() if worker.pk in renewed}
    return alive | {worker.boot_id: worker for worker in given_up}


def _register(heartbeats: dict[UUID, Heartbeat], now: datetime) -> None:
    """Make rows for boots never heard of, and let them supersede older ones of the same name."""
    known = set(WorkerInfo.objects.filter(boot_id__in=heartbeats).values_list("boot_id", flat=True))
    new = [beat for boot, beat in heartbeats.items() if boot not in known]
    rows = [
        WorkerInfo(boot_id=b.boot, name=b.name, max_tasks=b.max_tasks, last_heartbeat=now, lease_until=now) for b in new
    ]
    insert(rows)
    if given_up := {beat.after for beat in new if beat.after}:
        WorkerInfo.objects.filter(boot_id__in=given_up).update(status="offline", current_tasks=0, gave_up=True)
    if new:
        later = WorkerInfo.objects.filter(name=OuterRef("name"), id__gt=OuterRef("id"))
        older = WorkerInfo.objects.filter(Exists(later), name__in={beat.name for beat in new}, superseded=False)
        older.update(superseded=True)


def _row(worker: WorkerInfo, beat: Heartbeat, now: datetime, lease_seconds: float) -> dict[str, object]:
    gone = beat.state == "offline"
    return {
        "id": worker.pk,
        "name": beat.name,
        "hostname": beat.hostname,
        "pid": beat.pid,
        "status": _status(worker, beat),
        "labels": beat.labels,
        "executors": beat.executors,
        "namespaces": beat.namespaces,
        "max_tasks": beat.max_tasks,
        "current_tasks": len(beat.holds),
        "cpu_percent": beat.cpu_percent,
        "memory_percent": beat.memory_percent,
        "heartbeat_seq": beat.seq,
        "last_heartbeat": now,
        "lease_until": now if gone else now + timedelta(seconds=lease_seconds),
    }


def _status(worker: WorkerInfo, beat: Heartbeat) -> str:
    if beat.state != "online":
        return beat.state
    if worker.draining:
        return "draining"
    return "busy" if len(beat.holds) >= beat.max_tasks else "online"


def available(now: datetime) -> QuerySet[WorkerInfo]:
    """Workers that may be given runs at `now`."""
    fit = WorkerInfo.objects.filter(status__in=["online", "busy"], draining=False, lease_until__gt=now)
    return fit.filter(last_heartbeat__gt=now - SILENT)


def expire(now: datetime) -> list[WorkerInfo]:
    """Take as offline every worker whose lease has ended; return them. Callers hold a transaction."""
    ended = list(claimed(WorkerInfo.objects.exclude(status="offline").filter(lease_until__lt=now)))
    WorkerInfo.objects.filter(pk__in=[worker.pk for worker in ended]).update(status="offline", current_tasks=0)
    return ended


def shorten(lease_seconds: float) -> None:
    """No lease ends later than one granted now: such a one dates from before the database's clock was set back.

    The statement reads that clock itself: a `now` handed down may be old where this process was frozen, and would cut
    leases that others have granted since.
    """
    longest = Now() + timedelta(seconds=lease_seconds)
    WorkerInfo.objects.exclude(status="offline").filter(lease_until__gt=longest).update(lease_until=longest)


def listed() -> QuerySet[WorkerInfo]:
    """The workers a person wants to see: all but old incarnations that are gone."""
    return WorkerInfo.objects.exclude(Q(superseded=True) & Q(status="offline"))
