"""Heartbeats → `WorkerInfo`: who is alive, and until when a worker may act."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from tasks_app.sql import update
from workers_app.messaging.protocol import Heartbeat
from workers_app.models import WorkerInfo


def beat(heartbeats: Iterable[Heartbeat], now: datetime, lease_seconds: float) -> dict[UUID, WorkerInfo]:
    """Record the heartbeats; return by boot id those workers whose lease was renewed. The others' is over."""
    newest = {beat.boot: beat for beat in sorted(heartbeats, key=lambda beat: beat.seq)}
    _register(newest, now)
    known = WorkerInfo.objects.in_bulk(list(newest), field_name="boot_id")
    rows = [_row(known[boot], beat, now, lease_seconds) for boot, beat in newest.items()]
    condition = "target.status <> 'offline' AND target.heartbeat_seq < given.heartbeat_seq"
    renewed = set(update(WorkerInfo, ["id"], rows, condition))
    late = {boot for boot, beat in newest.items() if beat.seq <= known[boot].heartbeat_seq}
    return {
        boot: worker
        for boot, worker in known.items()
        if boot not in late and worker.pk in renewed and newest[boot].state != "offline"
    }


def _register(heartbeats: dict[UUID, Heartbeat], now: datetime) -> None:
    """Make rows for boots never heard of, and let them supersede older ones of the same name."""
    known = set(WorkerInfo.objects.filter(boot_id__in=heartbeats).values_list("boot_id", flat=True))
    new = [beat for boot, beat in heartbeats.items() if boot not in known]
    rows = [
        WorkerInfo(boot_id=b.boot, name=b.name, max_tasks=b.max_tasks, last_heartbeat=now, lease_until=now) for b in new
    ]
    WorkerInfo.objects.bulk_create(rows, ignore_conflicts=True)
    for beat in new:
        WorkerInfo.objects.filter(name=beat.name).exclude(boot_id=beat.boot).update(superseded=True)


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
        "max_tasks": beat.max_tasks,
        "current_tasks": len(beat.holds),
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
    return WorkerInfo.objects.filter(status__in=["online", "busy"], draining=False, lease_until__gt=now)


def expire(now: datetime) -> list[WorkerInfo]:
    """Take as offline every worker whose lease has ended; return them."""
    ended = list(WorkerInfo.objects.exclude(status="offline").filter(lease_until__lt=now))
    taken = WorkerInfo.objects.filter(pk__in=[worker.pk for worker in ended], lease_until__lt=now)
    taken.exclude(status="offline").update(status="offline", current_tasks=0)
    return ended


def listed() -> QuerySet[WorkerInfo]:
    """The workers a person wants to see: all but old incarnations that are gone."""
    return WorkerInfo.objects.exclude(Q(superseded=True) & Q(status="offline"))
