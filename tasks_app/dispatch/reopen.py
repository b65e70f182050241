"""Duty: runs that wait at a gate go on when it opens."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from tasks_app import transitions
from tasks_app.dispatch.permits import Permits, release
from tasks_app.dispatch.probes import seen
from tasks_app.gates import FIELDS, Need, World, needs
from tasks_app.models import Permit, TaskRun
from tasks_app.sql import given

SWEEP_SECONDS = 0.25
"""All gates at which somebody waits are tried anew so often, in turns of `SWEPT`: nobody tells us of some that open."""
SWEPT = 200
KEYS = 50
"""Tried in one pass with more than their first run."""
MOST = 500
"""Runs that pass one gate in one pass."""

_NEEDED = ["attempt", "params", "priority", "available_at", "gate", "fan_out"] + [
    f"task__{name.removesuffix('_id')}" for name in FIELDS
]
_QUEUE = "FROM tasks_app_taskrun AS run WHERE run.status = 'pending' AND run.gate <> '' AND run.gate"
# Found by one index probe each, however many runs wait.
_GATES = f"""
    WITH RECURSIVE found(gate) AS (
        SELECT MIN(run.gate) {_QUEUE} > %s
        UNION ALL
        SELECT (SELECT MIN(run.gate) {_QUEUE} > found.gate) FROM found WHERE found.gate IS NOT NULL
    )
    SELECT gate FROM found WHERE gate IS NOT NULL LIMIT {SWEPT}
"""  # noqa: S608 - constants
_ORDER = "ORDER BY run.priority DESC, run.available_at, run.id"
_FIRST = f"SELECT (SELECT run.id {_QUEUE} = given.key {_ORDER} LIMIT 1) FROM "  # noqa: S608 - constants


class Reopening:
    """What one dispatcher knows of gates that may have opened. Others find out by themselves."""

    def __init__(self) -> None:
        self._stirred: Counter[str] = Counter()
        """How many runs may pass each of the gates that something was heard of."""
        self._after = ""
        self._sweep_at = 0.0

    def turn(self, now: datetime, *, permits: bool, waiting: bool) -> int:
        """Let pass what may pass; return how many. `permits` and `waiting` are as in `Outlook`."""
        if not permits and not waiting:
            return 0
        stirred, self._stirred = self._stirred, Counter()
        with transaction.atomic(savepoint=False):
            stirred += release(now) if permits else Counter()
            if not waiting:
                return 0
            if time.monotonic() >= self._sweep_at:
                stirred += Counter(dict.fromkeys(self._sweep() - set(stirred), 1))
            tried = _try(stirred, now)
            if tried.room:
                tried = tried.and_then(_try(tried.room, now))
        self._stirred = tried.later
        return tried.passing

    @property
    def pressing(self) -> bool:
        """Some gates are known to let more pass."""
        return bool(self._stirred)

    def _sweep(self) -> set[str]:
        """The next of all gates at which somebody waits."""
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        with connection.cursor() as cursor:
            cursor.execute(_GATES, [self._after])
            found = [gate for (gate,) in cursor.fetchall()]
        self._after = found[-1] if len(found) == SWEPT else ""
        return set(found)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it."""

    passing: int
    """Runs that may go on."""
    room: Counter[str]
    """How many more may pass gates that count."""
    later: Counter[str]
    """How many to let pass others in the next turn."""

    def and_then(self, other: Tried) -> Tried:
        """Of gates that count no more pass in one turn than there was room, though nothing is taken yet."""
        return Tried(self.passing + other.passing, Counter(), self.later + other.later)


def _try(stirred: Counter[str], now: datetime) -> Tried:
    """Let the first at each gate pass, as many as `stirred` says, if they find all their gates open.

    That is only likely: who assigns them decides.
    """
    world = World(*seen(now))
    runs, later = _waiters(stirred)
    wishes = [(run, needs(run, world)) for run in runs]
    permits = Permits(now, locking=False)
    permits.consider(wishes)
    passed: dict[str, list[list[Need]]] = defaultdict(list)
    moved: list[tuple[UUID, str]] = []
    for run, wanted in wishes:
        shut = permits.shut(run)
        if shut is None:
            permits.take(run)
            passed[run.gate].append(wanted)
        if shut is None or shut.key != run.gate:
            moved.append((run.pk, shut.key if shut else ""))
    transitions.park(moved, now)
    room: Counter[str] = Counter()
    for key, those in passed.items():
        if len(those) < stirred[key]:
            continue  # nobody is left, or only such as wait elsewhere
        need = next((need for need in those[-1] if need.key == key and need.counted), None)
        if need:
            room[key] = min(permits.room(need) // need.takes, MOST)
        else:
            later[key] = min(2 * stirred[key], MOST)
    return Tried(sum(map(len, passed.values())), +room, later)


def _waiters(stirred: Counter[str]) -> tuple[list[TaskRun], Counter[str]]:
    """The first in each queue, as many as may pass, in their order; and the gates that are left for the next pass."""
    many = [key for key, number in stirred.items() if number > 1]
    queue = TaskRun.objects.filter(status="pending").exclude(gate="").order_by("-priority", "available_at", "id")
    found = _first([key for key, number in stirred.items() if number == 1])
    for key in many[:KEYS]:
        found += queue.filter(gate=key).values_list("pk", flat=True)[: min(stirred[key], MOST)]
    runs = queue.filter(pk__in=found).select_related("task").only(*_NEEDED)
    return list(runs) if found else [], Counter({key: stirred[key] for key in many[KEYS:]})


def _first(keys: list[str]) -> list[UUID]:
    if not keys:
        return []
    table, parameter = given(Permit, ["key"], [{"key": key} for key in keys])
    with connection.cursor() as cursor:
        cursor.execute(_FIRST + table, [parameter])
        return [TaskRun._meta.pk.to_python(run) for (run,) in cursor.fetchall() if run]
