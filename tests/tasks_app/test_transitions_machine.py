"""The state machine of a run beside a plain model of it: any moves, in any order, doubled and out of date."""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tasks_app import transitions
from tasks_app.models import ACTIVE, FINAL, RunAttempt, TaskRun, run_of
from tasks_app.transitions import Ending, Key
from tests.tasks_app.factories import NOW, a_task, a_worker

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("SIMULATION_EXAMPLES", "40"))

WISHES: dict[str, dict[str, Any]] = {
    "by hand": {},
    "due": {"origin": "schedule", "scheduled_for": NOW},
    "missed": {
        "origin": "schedule",
        "scheduled_for": NOW - timedelta(hours=1),
        "status": "skipped",
        "completed_at": NOW,
    },
    "with a key": {"idempotency_key": "key"},
}
"""New runs. Of all but those made by hand there can be only one."""
ENDS: dict[str, dict[str, Any]] = {
    "succeeded": {"status": "succeeded", "reason": "", "exit_code": 0, "result": {"rows": 1}},
    "failed": {"status": "failed", "reason": "error", "failures": 1},
    "failed, again": {
        "status": "pending",
        "reason": "error",
        "failures": 1,
        "available_at": NOW + timedelta(seconds=9),
    },
    "lost": {"status": "failed", "reason": "worker_lost", "losses": 1},
    "lost, again": {"status": "pending", "reason": "worker_lost", "losses": 1},
    "given back": {"status": "pending", "reason": "full"},
    "cancelled": {"status": "cancelled", "reason": "cancelled"},
}

some_runs = st.lists(st.tuples(st.integers(0, 19), st.sampled_from([0, 0, 0, 0, -1, 1])), min_size=2, max_size=9)
"""Which of the runs, and how far the attempt that is named is from the one it has."""
some_ends = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(ENDS))), min_size=1, max_size=5)
"""Which of the runs that were looked at, lately or earlier, and how its attempt ended."""
once_or_twice = st.sampled_from([1, 1, 2])


@dataclass
class Modelled:
    """A run as it should be."""

    status: str = "pending"
    attempt: int = 1
    worker: int | None = None
    failures: int = 0
    losses: int = 0
    cancel: bool = False
    traces: list[tuple[int, str]] = field(default_factory=list)
    """Attempts that did not end the run well, and why."""

    def is_at(self, attempt: int, *states: str) -> bool:
        return self.attempt == attempt and self.status in states

    def end(self, status: str, reason: str, failures: int = 0, losses: int = 0, **_: Any) -> None:
        self.status = status
        self.failures += failures
        self.losses += losses
        if status != "succeeded":
            self.traces.append((self.attempt, reason))
        if status == "pending":
            self.attempt, self.worker = self.attempt + 1, None


class Transitions(RuleBasedStateMachine):
    """Each example is a transaction that is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.model: dict[UUID, Modelled] = {}
        self.seen: list[TaskRun] = []
        self.made: set[str] = set()
        self.rows: dict[UUID, dict[str, Any]] = {}
        self.time = 0
        self.task, self.workers = a_task(), [a_worker().pk, a_worker().pk]

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    def now(self) -> datetime:
        """Later each time."""
        self.time += 1
        return NOW + timedelta(seconds=self.time)

    def keys(self, picks: list[tuple[int, int]]) -> list[Key]:
        runs = list(self.model)
        chosen = {runs[number % len(runs)]: off for number, off in picks}
        return [(run, self.model[run].attempt + off) for run, off in chosen.items()]

    def expected(self, keys: list[Key], *states: str) -> set[UUID]:
        return {run for run, attempt in keys if self.model[run].is_at(attempt, *states)}

    @initialize(states=st.lists(st.sampled_from(["pending", *ACTIVE]), min_size=1, max_size=9))
    def begin(self, states: list[str]) -> None:
        """Some runs in the states from which most can happen, which they have come to by moves."""
        self.create(["by hand"] * len(states))
        some = [(number, 0) for number, state in enumerate(states) if state != "pending"]
        self.assign(some, 0, times=1)
        self.start([pick for pick in some if states[pick[0]] == "running"], times=1)

    @precondition(lambda self: len(self.model) < 20)
    @rule(wishes=st.lists(st.sampled_from([*WISHES, "by hand", "by hand"]), min_size=1, max_size=4))
    def create(self, wishes: list[str]) -> None:
        runs = [run_of(self.task, now=NOW, **WISHES[wish]) for wish in wishes]
        transitions.create(runs)
        for wish, run in zip(wishes, runs, strict=True):
            if wish == "by hand" or wish not in self.made:
                self.made.add(wish)
                self.model[run.pk] = Modelled(run.status)

    @rule(picks=some_runs, which=st.integers(0, 1), times=once_or_twice)
    def assign(self, picks: list[tuple[int, int]], which: int, times: int) -> None:
        keys, worker = self.keys(picks), self.workers[which]
        for _ in range(times):
            choices = [(TaskRun(pk=run, attempt=attempt), worker) for run, attempt in keys]
            moved = self.expected(keys, "pending")
            assert set(transitions.assign(choices, self.now())) == moved
            for run in moved:
                self.model[run].status, self.model[run].worker = "assigned", worker

    @rule(picks=some_runs, times=once_or_twice)
    def start(self, picks: list[tuple[int, int]], times: int) -> None:
        keys = self.keys(picks)
        for _ in range(times):
            moved = self.expected(keys, "assigned")
            assert set(transitions.start([(*key, self.now()) for key in keys])) == moved
            for run in moved:
                self.model[run].status = "running"

    @rule(picks=some_runs)
    def look(self, picks: list[tuple[int, int]]) -> None:
        """As the dispatcher does before it ends attempts; here long before, perhaps."""
        keys = self.keys(picks)
        found = transitions.locked(keys)
        assert {run.pk for run in found} == self.expected(keys, *ACTIVE)
        self.seen += found

    @rule(picks=some_runs, ends=some_ends, times=once_or_twice)
    def end(self, picks: list[tuple[int, int]], ends: list[tuple[int, str]], times: int) -> None:
        self.look(picks)
        if not self.seen:
            return
        chosen = [(self.seen[-1 - number % len(self.seen)], how) for number, how in ends]
        by_run = {run.pk: (run, how) for run, how in chosen}
        for _ in range(times):
            moved = {pk for pk, (run, _) in by_run.items() if self.model[pk].is_at(run.attempt, *ACTIVE)}
            endings = [Ending(run, **ENDS[how]) for run, how in by_run.values()]
            assert set(transitions.end(endings, self.now())) == moved
            for pk in moved:
                self.model[pk].end(**ENDS[by_run[pk][1]])

    @rule(number=st.integers(0, 9), times=once_or_twice)
    def skip(self, number: int, times: int) -> None:
        """A pending run is skipped."""
        ((run, attempt),) = self.keys([(number, 0)])
        for _ in range(times):
            moved = self.expected([(run, attempt)], "pending")
            assert transitions.skip([run], "circuit", self.now()) == len(moved)
            if moved:
                self.model[run].status = "skipped"

    @rule(picks=some_runs, times=once_or_twice)
    def cancel(self, picks: list[tuple[int, int]], times: int) -> None:
        """Pending runs end at once, active ones are to end."""
        for _ in range(times):
            runs = [self.model[run] for run, _ in self.keys(picks)]
            moved = [run for run in runs if run.status == "pending" or (run.status in ACTIVE and not run.cancel)]
            assert transitions.cancel([run for run, _ in self.keys(picks)], self.now()) == len(moved)
            for run in moved:
                run.cancel = True
                run.status = "cancelled" if run.status == "pending" else run.status

    @invariant()
    def the_database_agrees(self) -> None:
        before, self.rows = self.rows, {row["id"]: row for row in TaskRun.objects.values()}
        assert self.rows.keys() == self.model.keys()
        traces: dict[UUID, list[tuple[int, str]]] = {run: [] for run in self.model}
        for run, attempt, reason in RunAttempt.objects.order_by("attempt").values_list("run", "attempt", "reason"):
            traces[run].append((attempt, reason))
        for run, row in self.rows.items():
            names = ("status", "attempt", "worker_id", "failures", "losses")
            found = Modelled(*[row[name] for name in names], row["cancel_requested_at"] is not None, traces[run])
            assert found == self.model[run]
            _check(row)
            if run in before:
                _check_move(before[run], row)


def _check(row: dict[str, Any]) -> None:
    """What holds of a run at any time."""
    if row["status"] not in FINAL:
        assert (row["status"] in ACTIVE) == (row["worker_id"] is not None) == (row["assigned_at"] is not None)
    assert row["status"] != "pending" or row["started_at"] is None


def _check_move(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What holds of any step."""
    if before["status"] in FINAL:
        assert after == before
    assert before["failures"] <= after["failures"]
    assert before["losses"] <= after["losses"]
    grown = after["attempt"] - before["attempt"]
    assert grown == 0 or (grown == 1 and before["status"] in ACTIVE and after["status"] == "pending")


def test_any_moves_in_any_order_are_as_the_model_says():
    everything = list(HealthCheck)
    run_state_machine_as_test(
        Transitions,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            suppress_health_check=everything,
        ),
    )
