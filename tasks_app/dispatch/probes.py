"""The circuits that are not closed, as one pass of assigning finds them: which of them one probe may pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tasks_app import circuit
from tasks_app.circuit import CLOSED, Attempt, State
from tasks_app.dispatch.circuits import state_of, store
from tasks_app.models import ACTIVE, Circuit, TaskRun
from tasks_app.sql import claimed


@dataclass(frozen=True, slots=True)
class Tripped:
    """The circuits that are not closed, by their target."""

    shut: frozenset[str]
    """Nothing may pass."""
    due: dict[str, Circuit]
    """One probe may pass. Locked until the commit, so that of several dispatchers only one lets it."""


NONE = Tripped(frozenset(), {})


def tripped(now: datetime, *, probing: bool = True) -> Tripped:
    """Look, and, when `probing`, settle what became of probes. One statement where all circuits are closed."""
    found = list(Circuit.objects.exclude(state=CLOSED))
    if not found or not probing:
        return Tripped(frozenset(row.target for row in found), {})
    settled = _settled(found)
    moving = [row for row in found if settled[row.pk] != state_of(row) or circuit.may_probe(settled[row.pk], now)]
    mine = _claim(moving)
    store([(row, settled[row.pk]) for row in mine], now)
    due = {row.target: row for row in mine if circuit.may_probe(state_of(row), now)}
    passing = {row.target for row in mine if row.state == CLOSED} | set(due)
    return Tripped(frozenset(row.target for row in found) - passing, due)


def seen(now: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """The targets that nothing may pass, and those that one probe may, as they look to somebody who lets none pass."""
    found = list(Circuit.objects.exclude(state=CLOSED))
    settled = _settled(found) if found else {}
    due = frozenset(row.target for row in found if circuit.may_probe(settled[row.pk], now))
    closed = {row.target for row in found if settled[row.pk].state == CLOSED}
    return frozenset(row.target for row in found) - due - closed, due


def _settled(found: list[Circuit]) -> dict[int, State]:
    """The state of each, by its key. Whatever ended a probe, no circuit waits for one that is no more."""
    probes = TaskRun.objects.filter(pk__in=[row.probe_id for row in found if row.probe_id], status__in=ACTIVE)
    active = {(run, attempt): status for run, attempt, status in probes.values_list("pk", "attempt", "status")}
    return {row.pk: _settle(row, active) for row in found}


def _settle(row: Circuit, active: dict[Attempt, str]) -> State:
    state = state_of(row)
    if state.probe is None:
        return state
    status = active.get(state.probe)
    if status is None:
        return circuit.probe_lost(state)
    if status == TaskRun.Status.RUNNING and circuit.is_worker(row.target):
        return circuit.succeeded(state)  # It has started, however it will end.
    return state


def _claim(rows: Iterable[Circuit]) -> list[Circuit]:
    """Those that nobody else holds, nor has moved since they were read."""
    before = {row.pk: state_of(row) for row in rows}
    return [row for row in claimed(Circuit.objects.filter(pk__in=list(before))) if state_of(row) == before[row.pk]]
