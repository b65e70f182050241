"""Circuits in the database, where all dispatchers share them: what has ended moves them.

`record` waits for rows of circuits, in the order of their targets; `assign`, which holds rows of workers and runs, only
takes circuits that nobody holds. So dispatchers never wait for each other in a circle.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Concat

from tasks_app import circuit
from tasks_app.circuit import CLOSED, Attempt, Limits, State
from tasks_app.models import Circuit, Task, TaskRun
from tasks_app.sql import claimed, insert, update
from tasks_app.transitions import Ending
from workers_app.events import note

FAILURES = ("error", "timeout")
"""Reasons that say something against what was called."""
UNABLE = "unable"
"""The reason that says something against the worker: it could not even start the attempt."""
WORKER = Limits(failures=3, seconds=30)
KEPT = timedelta(days=30)
"""A circuit that nothing has moved for so long is forgotten."""

_FIELDS = tuple(field.name for field in fields(State))
_TROUBLED = ~Q(state=CLOSED) | Q(failures__gt=0)
WORKER_TROUBLED = Exists(Circuit.objects.filter(_TROUBLED, target=Concat(Value("worker:"), OuterRef("worker__name"))))
"""Of a run: that it was started changes the circuit of its worker."""


@dataclass(frozen=True, slots=True)
class Event:
    """What an attempt that ended tells of a target."""

    target: str
    attempt: Attempt
    failed: bool
    limits: Limits


def needed(troubled: bool) -> dict[str, Exists]:
    """What `record` needs to know of each run, for the query that loads them; `troubled` is as in `Outlook`."""
    return {"worker_troubled": WORKER_TROUBLED} if troubled else {}


def record(endings: list[Ending], now: datetime) -> None:
    """Move the circuits of what ended, in that order; the runs are loaded with what is `needed`."""
    events: dict[str, list[Event]] = defaultdict(list)
    for ending in endings:
        for event in _events(ending):
            events[event.target].append(event)
    if not events:
        return
    failing = sorted(target for target, told in events.items() if any(event.failed for event in told))
    # Made before all are locked, so that of failures that two dispatchers record at the same time both count.
    insert([Circuit(target=target, updated_at=now) for target in failing])
    concerned = Circuit.objects.filter(_TROUBLED | Q(target__in=failing), target__in=list(events))
    rows = concerned.order_by("target").select_for_update()
    store([(row, _after(state_of(row), events[row.target], now)) for row in rows], now)


def _events(ending: Ending) -> Iterator[Event]:
    run, task = ending.run, ending.run.task
    attempt = run.pk, run.attempt
    failed = ending.reason in FAILURES
    began = failed or ending.status == TaskRun.Status.SUCCEEDED
    if began and task.circuit != Task.CircuitMode.OFF:
        yield Event(task.protects, attempt, failed, Limits(task.circuit_failures, task.circuit_seconds))
    if run.worker and (ending.reason == UNABLE or (began and getattr(run, "worker_troubled", False))):
        yield Event(circuit.worker(run.worker.name), attempt, not began, WORKER)


def _after(state: State, events: Iterable[Event], now: datetime) -> State:
    for event in events:
        failed = event.failed
        state = circuit.failed(state, event.attempt, event.limits, now) if failed else circuit.succeeded(state)
    return state


def state_of(row: Circuit) -> State:
    return State(**{name: getattr(row, name) for name in _FIELDS})


def store(moves: list[tuple[Circuit, State]], now: datetime) -> None:
    """Bring circuits, which the caller has locked, to their new state; tell of those that opened or closed."""
    changed = [(row, before, after) for row, after in moves if (before := state_of(row)) != after]
    update(Circuit, ["id"], [{"id": row.pk, "updated_at": now, **asdict(after)} for row, _, after in changed])
    for row, before, after in changed:
        for name in _FIELDS:
            setattr(row, name, getattr(after, name))
        _tell(row.target, before, after)
    if any(after.trips > before.trips for _, before, after in changed):
        _forget(now)


def _tell(target: str, before: State, after: State) -> None:
    if after.trips > before.trips and circuit.is_worker(target):
        said = "%s is set aside until %s: it could not start what it was given, %d times in a row."
        note("worker_set_aside", said, target, after.retry_at, after.failures)
    elif after.trips > before.trips:
        said = "The circuit of %s is open until %s; failures in a row: %d."
        note("circuit_open", said, target, after.retry_at, after.failures)
    elif after.state == CLOSED and before.state != CLOSED:
        note("circuit_closed", "The circuit of %s is closed again.", target)


def _forget(now: datetime) -> None:
    """Now and then, and a circuit that opens is a good moment."""
    old = claimed(Circuit.objects.filter(updated_at__lt=now - KEPT))
    Circuit.objects.filter(pk__in=[row.pk for row in old]).delete()
