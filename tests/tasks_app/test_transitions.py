"""The state machine: who may go where, and that nobody else writes a status."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tasks_app import transitions
from tasks_app.models import ACTIVE, FINAL, RunAttempt, TaskRun
from tasks_app.transitions import Ending
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


def in_state(status: str) -> TaskRun:
    if status in ACTIVE:
        return an_active_run(a_worker(), status=status)
    return a_run(status=status, completed_at=NOW if status in FINAL else None)


def moves(run: TaskRun) -> dict:
    """Each move, applied to `run`: the name → the ids (or number) that moved."""
    later = NOW + timedelta(seconds=1)
    worker = a_worker()
    return {
        "assign": lambda: transitions.assign([(run, worker.pk)], later),
        "start": lambda: transitions.start([(run.pk, run.attempt, later)]),
        "succeed": lambda: transitions.end([Ending(run, "succeeded", "", exit_code=0)], later),
        "fail": lambda: transitions.end([Ending(run, "failed", "error", error="bad", failures=1)], later),
        "retry": lambda: transitions.end([Ending(run, "pending", "error", available_at=later, failures=1)], later),
        "cancel": lambda: transitions.cancel([run.pk], later),
        "skip": lambda: transitions.skip([run.pk], "circuit", later),
    }


ENDINGS = {"succeed": "succeeded", "fail": "failed", "retry": "pending"}
ALLOWED = {
    "pending": {"assign": "assigned", "cancel": "cancelled", "skip": "skipped"},
    "assigned": {"start": "running", **ENDINGS, "cancel": "assigned"},
    "running": {**ENDINGS, "cancel": "running"},
    **{status: {} for status in FINAL},
}


@pytest.mark.parametrize("move", ["assign", "start", "succeed", "fail", "retry", "cancel", "skip"])
@pytest.mark.parametrize("status", list(ALLOWED))
def test_each_move_from_each_state(status: str, move: str):
    run = in_state(status)
    before = TaskRun.objects.filter(pk=run.pk).values().get()
    moved = moves(run)[move]()
    after = TaskRun.objects.filter(pk=run.pk).values().get()
    if move in ALLOWED[status]:
        assert moved
        assert after["status"] == ALLOWED[status][move]
    else:
        assert not moved
        assert after == before
        assert not RunAttempt.objects.exists()


@pytest.mark.parametrize("move", ["assign", "start", "succeed", "fail", "retry"])
@pytest.mark.parametrize("status", ["pending", "assigned", "running"])
def test_a_stale_attempt_moves_nothing(status: str, move: str):
    run = in_state(status)
    TaskRun.objects.filter(pk=run.pk).update(attempt=2)
    before = TaskRun.objects.filter(pk=run.pk).values().get()
    assert not moves(run)[move]()
    assert TaskRun.objects.filter(pk=run.pk).values().get() == before


def test_a_retry_is_free_of_the_last_attempt_and_leaves_a_trace():
    run = an_active_run(a_worker())
    later = NOW + timedelta(seconds=30)
    transitions.end([Ending(run, "pending", "error", 7, error="bad", available_at=later, failures=1)], NOW)
    again = TaskRun.objects.get(pk=run.pk)
    assert (again.attempt, again.failures, again.available_at) == (2, 1, later)
    assert (again.worker, again.assigned_at, again.started_at, again.completed_at) == (None, None, None, None)
    trace = RunAttempt.objects.get()
    assert (trace.attempt, trace.worker, trace.reason, trace.exit_code) == (1, run.worker, "error", 7)
    assert trace.started_at == NOW


def test_a_success_writes_no_trace():
    run = an_active_run(a_worker())
    transitions.end([Ending(run, "succeeded", "", 0, result={"rows": [1, None, "ü"]})], NOW)
    assert TaskRun.objects.get(pk=run.pk).result == {"rows": [1, None, "ü"]}
    assert not RunAttempt.objects.exists()


def test_many_runs_move_in_few_statements(django_assert_num_queries):
    task, worker = a_task(), a_worker()
    runs = [a_run(task) for _ in range(100)]
    with django_assert_num_queries(1):
        moved = transitions.assign([(run, worker.pk) for run in runs], NOW)
    assert len(moved) == 100
    with django_assert_num_queries(1):
        transitions.start([(run.pk, 1, NOW) for run in runs])
    found = transitions.locked((run.pk, 1) for run in runs)
    with django_assert_num_queries(2):
        transitions.end([Ending(run, "failed", "error", 1) for run in found], NOW)


def test_a_nominal_time_has_one_run():
    task = a_task()
    for _ in range(2):
        a_run(task, origin="schedule", scheduled_for=NOW)
        a_run(task, origin="manual", scheduled_for=NOW)
    assert TaskRun.objects.filter(origin="schedule").count() == 1
    assert TaskRun.objects.filter(origin="manual").count() == 2


def test_nothing_else_writes_a_status():
    writer = re.compile(
        r"\.update\([^)]*\bstatus=|\.status = (?!'|.*Status\.(ACTIVE|PAUSED))|UPDATE .*taskrun", re.DOTALL
    )
    for file in (ROOT / "tasks_app").rglob("*.py"):
        if "migrations" in file.parts or file.name == "transitions.py":
            continue
        for line in file.read_text().splitlines():
            assert "ackfill" in line or not writer.search(line), f"{file}: {line}"  # a backfill has one of its own
