"""What must hold after each step, and when all is well again: the database against itself, and against the ledger."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tasks_app.models import ACTIVE, FINAL, Task, TaskRun
from tests.plans import parse
from tests.simulation.ledger import Ledger
from tests.simulation.workers import SimulatedWorker
from workers_app.messaging.protocol import AttemptKey

Row = dict[str, Any]


class Promises:
    """Remembers how the runs were at the last look."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._before: dict[UUID, Row] = {}

    def check(self) -> None:
        """Fail if a promise has been broken since the last look."""
        rows = {row["id"]: row for row in TaskRun.objects.order_by("id").values()}
        for row in rows.values():
            self._check_move(self._before.get(row["id"]), row)
        self._before = rows
        self._check_slots(rows)
        _check_nominal_times(rows)
        for job in self._ledger.living:
            row = rows[job.key.run]
            if row["status"] not in ACTIVE or row["attempt"] != job.key.attempt:
                self._ledger.breach(f"{job} runs, and the database says {row}")
        assert not self._ledger.breaches, "\n".join(self._ledger.breaches)

    def _check_move(self, before: Row | None, after: Row) -> None:
        if before and before["status"] in FINAL:
            assert after == before, "final is final"
        for name in ("attempt", "failures", "losses"):
            assert not before or before[name] <= after[name], f"{name} never shrinks"
        if after["status"] == "succeeded":
            assert self._ledger.succeeded(after["id"], after["attempt"]), "nothing succeeds that did not"

    def _check_slots(self, rows: dict[UUID, Row]) -> None:
        active = Counter(row["worker_id"] for row in rows.values() if row["status"] in ACTIVE)
        assert None not in active
        assert not active or max(active.values()) <= MOST_SLOTS


MOST_SLOTS = 2
"""No worker of the simulation has more."""


def _check_nominal_times(rows: dict[UUID, Row]) -> None:
    fired = Counter((row["task_id"], row["scheduled_for"]) for row in rows.values() if row["origin"] == "schedule")
    assert not fired or max(fired.values()) == 1, "a nominal time has one run at most"


@dataclass(slots=True)
class Plan:
    """What a task was planned for, since when, and until when."""

    task: Task
    schedule: str
    since: datetime
    until: datetime | None = None


def check_all_nominal_times(plans: list[Plan], now: datetime) -> None:
    """Every nominal time of each plan up to `now` has exactly one run."""
    for each in plans:
        plan = parse(each.schedule, each.task.timezone)
        expected, time = [], plan.next_after(each.since)
        while time and time <= (each.until or now):
            expected.append(time)
            time = plan.next_after(time)
        runs = each.task.runs.filter(origin="schedule").order_by("scheduled_for")
        assert list(runs.values_list("scheduled_for", flat=True)) == expected, f"nominal times of {each}"


def disagreements(workers: list[SimulatedWorker]) -> dict[UUID, tuple[set[AttemptKey], set[AttemptKey]]]:
    """By boot: what a worker holds, and what the database says it does, where that is not the same."""
    known: dict[UUID, set[AttemptKey]] = defaultdict(set)
    active = TaskRun.objects.filter(status__in=ACTIVE).values_list("worker__boot_id", "pk", "attempt")
    for boot, run, attempt in active.order_by("id"):
        known[boot].add(AttemptKey(run, attempt))
    held = {worker.incarnation.boot: set(worker.attempts.held) for worker in workers}
    both = {boot: (held.get(boot, set()), known.get(boot, set())) for boot in held | known}
    return {boot: sides for boot, sides in both.items() if sides[0] != sides[1]}
