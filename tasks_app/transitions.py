"""The state machine of a run, and the only writer of its status.

    pending → assigned → running → succeeded | failed
    pending → skipped | cancelled          assigned, running → cancelled
    pending → running                      (one that fans out)
    assigned, running → pending            (retry, or handed back: attempt + 1)

Every move works on a set of runs, is conditional on the attempt and on the states it may start
from, and returns the ids that really moved. No move starts from a final state. Callers hold a
transaction; `now` is the database's time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, DateTimeField, F, Q, Value, When

from tasks_app.models import ACTIVE, DEPENDENCY, RunAttempt, TaskRun
from tasks_app.sharing import Tasks
from tasks_app.sql import insert, update

Key = tuple[UUID, int]
"""Run and attempt."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, and what becomes of its run."""

    run: TaskRun
    status: str
    """A final state, or `pending` for another attempt."""
    reason: str
    exit_code: int | None = None
    result: Any = None
    error: str = ""
    available_at: datetime | None = None
    """When the next attempt may start; only with status pending."""
    failures: int = 0
    """To add to the run's count of failed attempts."""
    losses: int = 0
    """To add to the run's count of lost attempts."""


def create(runs: list[TaskRun]) -> None:
    """Store new runs, pending or skipped; one that exists already (nominal time, idempotency key) is left as it is."""
    insert(runs)


def _move(rows: list[dict[str, Any]], sources: Iterable[str], expressions: dict[str, str] | None = None) -> list[UUID]:
    states = ", ".join(f"'{state}'" for state in sources)
    # An expression instead of the bare column: else SQLite goes through all runs in these states, once for each row.
    return update(TaskRun, ["id", "attempt"], rows, f"target.status || '' IN ({states})", expressions)


def assign(choices: list[tuple[TaskRun, int]], now: datetime) -> list[UUID]:
    """Pending runs → assigned to the worker (its primary key) chosen for each."""
    rows = [
        {"id": run.pk, "attempt": run.attempt, "status": "assigned", "worker_id": worker, "assigned_at": now}
        for run, worker in choices
    ]
    return _move(rows, ["pending"])


def spread(runs: Iterable[TaskRun], now: datetime) -> list[UUID]:
    """Pending runs → running, each to be carried out as many runs and by no worker itself."""
    rows = [
        {"id": run.pk, "attempt": run.attempt, "status": "running", "assigned_at": now, "started_at": now}
        for run in runs
    ]
    return _move(rows, ["pending"])


def start(times: Iterable[tuple[UUID, int, datetime]]) -> list[UUID]:
    """Assigned runs (run, attempt, since when) → running."""
    rows = [{"id": run, "attempt": attempt, "status": "running", "started_at": time} for run, attempt, time in times]
    return _move(rows, ["assigned"])


_OF_RUN = (
    *("task", "attempt", "assigned_at", "started_at", "available_at", "failures", "losses", "cancel_requested_at"),
    *("worker__name", "worker__gave_up"),
)
_OF_TASK = (
    *("max_attempts", "retry_delay_seconds", "retry_max_delay_seconds", "delivery"),
    *("retry_on", "never_retry_on", "pause_after_failures"),
    *("circuit", "circuit_failures", "circuit_seconds", "target"),
)
"""What decides how an attempt ends, and what its record says."""


def locked(keys: Iterable[Key], **also: Any) -> list[TaskRun]:
    """The active runs among `keys` that are still at that attempt, locked until the commit.

    Of the runs, their tasks and their workers only what decides how an attempt ends is loaded, and `also` what else
    (an expression by its name) the caller wants to know.
    """
    attempts = dict(keys)
    runs = TaskRun.objects.filter(pk__in=attempts, status__in=ACTIVE).select_related("worker")
    runs = runs.only(*_OF_RUN).annotate(**also)
    locking = runs.select_for_update(of=("self",)) if connection.features.has_select_for_update_of else runs
    found = [run for run in locking if run.attempt == attempts[run.pk]]
    Tasks(_OF_TASK).of(found)
    return found


_ENDING = {
    "attempt": "target.attempt + CASE WHEN given.status = 'pending' THEN 1 ELSE 0 END",
    "failures": "target.failures + given.failures",
    "losses": "target.losses + given.losses",
    "worker_id": "CASE WHEN given.status = 'pending' THEN NULL ELSE target.worker_id END",
    "assigned_at": "CASE WHEN given.status = 'pending' THEN NULL ELSE target.assigned_at END",
    "started_at": "CASE WHEN given.status = 'pending' THEN NULL ELSE given.started_at END",
}
"""A run that gets another attempt is free of the last one's worker and times."""


def end(endings: list[Ending], now: datetime) -> list[UUID]:
    """Active runs → how their attempt ended; tries that did not end well leave a `RunAttempt`."""
    moved = set(_move([_ending_row(ending, now) for ending in endings], ACTIVE, _ENDING))
    insert([_attempt(e, now) for e in endings if e.run.pk in moved and e.status != "succeeded"])
    return list(moved)


def _ending_row(ending: Ending, now: datetime) -> dict[str, Any]:
    run, again = ending.run, ending.status == "pending"
    return {
        "id": run.pk,
        "attempt": run.attempt,
        "status": ending.status,
        "reason": ending.reason,
        "exit_code": ending.exit_code,
        "result": ending.result,
        "error": ending.error,
        "failures": ending.failures,
        "losses": ending.losses,
        "started_at": run.started_at,
        "completed_at": None if again else now,
        "available_at": ending.available_at if again and ending.available_at else run.available_at,
    }


def _attempt(ending: Ending, now: datetime) -> RunAttempt:
    run = ending.run
    return RunAttempt(
        run_id=run.pk,
        attempt=run.attempt,
        worker_id=run.worker_id,
        reason=ending.reason,
        exit_code=ending.exit_code,
        error=ending.error,
        assigned_at=run.assigned_at or now,
        started_at=run.started_at,
        completed_at=now,
    )


def park(gates: list[tuple[UUID, str]], now: datetime) -> list[UUID]:
    """Pending runs wait at a gate (its key), or, where that is empty, at none that anybody knows of."""
    rows = [{"id": run, "gate": gate, "gate_since": now if gate else None} for run, gate in gates]
    return update(TaskRun, ["id"], rows, "target.status || '' = 'pending'")


def cancel(runs: Iterable[UUID], now: datetime, *, reason: str = "cancelled") -> int:
    """Pending runs → cancelled; active ones are noted to end, which their worker confirms by its report.

    Returns how many it applied to; `reason` is that of pending ones. One statement, as a run may go back from active
    to pending in between two.
    """
    pending = Q(status="pending")
    found = TaskRun.objects.filter(pending | Q(status__in=ACTIVE, cancel_requested_at=None), pk__in=list(runs))
    return found.update(
        status=Case(When(pending, then=Value("cancelled")), default=F("status")),
        reason=Case(When(pending, then=Value(reason)), default=F("reason")),
        completed_at=Case(When(pending, then=Value(now, DateTimeField())), default=F("completed_at")),
        cancel_requested_at=now,
    )


def skip(runs: Iterable[UUID], reason: str, now: datetime) -> int:
    """Pending runs → skipped; returns how many."""
    pending = TaskRun.objects.filter(pk__in=list(runs), status="pending")
    return pending.update(status="skipped", reason=reason, completed_at=now)


def go_on(params: Mapping[UUID, dict[str, Any]], now: datetime) -> list[UUID]:
    """Pending runs that wait for others may start from `now` on, with these parameters; returns which did wait."""
    rows = [
        {"id": run, "params": values, "gate": "", "gate_since": None, "available_at": now}
        for run, values in params.items()
    ]
    return update(TaskRun, ["id"], rows, f"target.status || '' = 'pending' AND target.gate = '{DEPENDENCY}'")


def pass_over(errors: Mapping[UUID, str], reason: str, now: datetime) -> list[UUID]:
    """Pending runs → skipped, each with what explains it; returns which."""
    rows = [
        {"id": run, "status": "skipped", "reason": reason, "error": error, "completed_at": now}
        for run, error in errors.items()
    ]
    return update(TaskRun, ["id"], rows, "target.status || '' = 'pending'")
