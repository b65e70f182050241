"""Tasks, runs and workers for tests, in any state, with as few words as possible."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tasks_app import transitions
from tasks_app.dispatch.assign import Assigned, assign
from tasks_app.dispatch.outlook import look
from tasks_app.dispatch.reopen import Reopening
from tasks_app.models import Task, TaskRun, run_of
from workers_app.models import WorkerInfo

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
LEASE = timedelta(seconds=10)
_numbers = itertools.count(1)


def a_task(**fields: Any) -> Task:
    values = {"name": f"task-{next(_numbers)}", "executor": "shell", "command": "true"} | fields
    return Task.objects.create(**values)


def a_worker(**fields: Any) -> WorkerInfo:
    """It was heard when its lease was granted, unless told otherwise."""
    lease_until = fields.get("lease_until", NOW + LEASE)
    values = {
        "boot_id": uuid4(),
        "name": f"worker-{next(_numbers)}",
        "executors": ["http", "shell"],
        "max_tasks": 10,
        "last_heartbeat": lease_until - LEASE,
        "lease_until": lease_until,
    } | fields
    return WorkerInfo.objects.create(**values)


def a_run(task: Task | None = None, now: datetime = NOW, **fields: Any) -> TaskRun:
    run = run_of(task or a_task(), now=now, **fields)
    transitions.create([run])
    return run


def an_active_run(worker: WorkerInfo, task: Task | None = None, status: str = "running", **fields: Any) -> TaskRun:
    times = {"assigned_at": NOW, "started_at": NOW if status == "running" else None}
    return a_run(task, worker=worker, status=status, **times, **fields)


def given_out(now: datetime = NOW, gates: Reopening | None = None) -> Assigned:
    """What a dispatcher does: it tries the gates, and assigns. Without `gates` it is one that knows nothing of them."""
    gates = gates or Reopening()
    gates.turn(now, permits=True, waiting=look(now).waiting)
    while gates.pressing:
        gates.turn(now, permits=True, waiting=True)
    return assign(now, look(now).placements)
