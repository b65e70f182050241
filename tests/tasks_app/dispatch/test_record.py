"""Duties 1 and 2: reports become rows; what is lost is found."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tasks_app.dispatch.decide import MAX_LOSSES
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.models import RunAttempt, RunLog, TaskRun
from tests.tasks_app.dispatch.test_leases import beat, lease
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run
from workers_app.messaging.protocol import AttemptKey, Finished, Output, Reports, Returned, Started

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(seconds=5)


def key(run: TaskRun, attempt: int = 1) -> AttemptKey:
    return AttemptKey(run.pk, attempt)


def report(*items) -> Reports:
    return Reports(uuid4(), list(items))


def test_a_whole_life_in_one_batch():
    run = an_active_run(a_worker(), status="assigned")
    record([report(Started(key(run)), Output(key(run), 0, "hi\n"), Finished(key(run), "", 0, {"n": 1}))], LATER)
    run.refresh_from_db()
    assert (run.status, run.exit_code, run.result, run.started_at) == ("succeeded", 0, {"n": 1}, LATER)
    assert RunLog.objects.get().text == "hi\n"


def test_durations_are_what_the_worker_measured():
    run = an_active_run(a_worker(), a_task(max_attempts=2), status="assigned")
    record([report(Started(key(run), ago=0.5))], LATER)
    run.refresh_from_db()
    assert run.started_at == LATER - timedelta(seconds=0.5)
    record([report(Finished(key(run), "error", 1, seconds=2.5))], LATER + timedelta(seconds=2))
    assert RunAttempt.objects.get().started_at == LATER - timedelta(seconds=0.5)
    run.refresh_from_db()
    assert run.started_at is None
    TaskRun.objects.filter(pk=run.pk).update(status="assigned", assigned_at=LATER)
    record([report(Finished(key(run, 2), "", 0, seconds=1.25))], LATER + timedelta(seconds=2))
    run.refresh_from_db()
    assert run.completed_at - run.started_at == timedelta(seconds=1.25)


def test_reports_of_an_old_attempt_change_nothing():
    run = an_active_run(a_worker(), attempt=2)
    record(
        [report(Started(key(run)), Output(key(run), 0, "old"), Finished(key(run), "", 0), Returned(key(run), "x"))],
        LATER,
    )
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("running", 2)
    assert not RunLog.objects.exists()
    assert not RunAttempt.objects.exists()


def test_reports_that_come_twice_count_once():
    run = an_active_run(a_worker(), a_task(max_attempts=5))
    finished = report(Output(key(run), 0, "x"), Finished(key(run), "error", 1, error="bad"))
    record([finished, finished], LATER)
    record([finished], LATER)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.failures) == ("pending", 2, 1)
    assert RunLog.objects.count() == 1
    assert RunAttempt.objects.count() == 1


def test_a_failed_attempt_is_tried_again_after_its_delay():
    run = an_active_run(a_worker(), a_task(max_attempts=2, retry_delay_seconds=10))
    record([report(Finished(key(run), "timeout", error="Timed out."))], LATER)
    run.refresh_from_db()
    assert run.status == "pending"
    assert LATER <= run.available_at <= LATER + timedelta(seconds=10)
    TaskRun.objects.filter(pk=run.pk).update(status="running", assigned_at=LATER, started_at=LATER)
    record([report(Finished(key(run, 2), "error", 1))], LATER)
    run.refresh_from_db()
    assert (run.status, run.reason, run.completed_at) == ("failed", "error", LATER)


def test_what_was_given_back_is_pending_again_and_costs_no_attempt():
    run = an_active_run(a_worker(), a_task(max_attempts=1), status="assigned")
    record([report(Returned(key(run), "full"))], LATER)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.failures, run.available_at) == ("pending", 2, 0, LATER)


@pytest.mark.parametrize("item", [Finished(None, "error", 1), Returned(None, "shutdown")])
def test_a_run_that_shall_be_cancelled_is_not_tried_again(item):
    run = an_active_run(a_worker(), a_task(max_attempts=5), cancel_requested_at=NOW)
    record([report(type(item)(key(run), item.reason))], LATER)
    run.refresh_from_db()
    assert (run.status, run.reason) == ("cancelled", "cancelled")


def test_a_late_report_in_the_same_batch_hides_no_other():
    run = an_active_run(a_worker(), attempt=2)
    record([report(Finished(key(run, 2), "", 0)), report(Finished(key(run, 1), "error", 1))], LATER)
    run.refresh_from_db()
    assert (run.status, run.exit_code) == ("succeeded", 0)


def test_a_batch_costs_few_statements(django_assert_max_num_queries):
    worker, task = a_worker(max_tasks=200), a_task()
    runs = [an_active_run(worker, task, status="assigned") for _ in range(100)]
    items = [item for run in runs for item in (Started(key(run)), Output(key(run), 0, "x"), Finished(key(run), "", 0))]
    with django_assert_max_num_queries(14):
        record([report(*items)], NOW)
    assert TaskRun.objects.filter(status="succeeded").count() == 100


def test_runs_of_a_lost_worker_are_pending_again():
    worker, other = a_worker(lease_until=NOW - timedelta(seconds=1)), a_worker()
    run, kept = an_active_run(worker), an_active_run(other)
    assert [w.pk for w in recover(NOW)[0]] == [worker.pk]
    run.refresh_from_db()
    kept.refresh_from_db()
    assert (run.status, run.attempt, run.losses, run.failures) == ("pending", 2, 1, 0)
    assert (kept.status, kept.attempt) == ("running", 1)
    assert recover(NOW) == ([], [])


def test_a_run_that_loses_worker_after_worker_is_stopped():
    run = a_run(a_task(max_attempts=100))
    for attempt in range(1, MAX_LOSSES + 1):
        worker = a_worker(lease_until=NOW - timedelta(seconds=1))
        TaskRun.objects.filter(pk=run.pk).update(
            status="running", worker=worker, assigned_at=NOW, started_at=NOW, attempt=attempt
        )
        recover(NOW)
    run.refresh_from_db()
    assert (run.status, run.reason, run.losses) == ("failed", "worker_lost", MAX_LOSSES)
    assert "not started again" in run.error


def test_a_loss_that_may_be_our_own_deafness_is_not_held_against_the_run():
    run = an_active_run(a_worker(lease_until=NOW - timedelta(seconds=1)), losses=MAX_LOSSES - 1)
    recover(NOW, blame=False)
    run.refresh_from_db()
    assert (run.status, run.reason, run.attempt, run.losses) == ("pending", "worker_lost", 2, MAX_LOSSES - 1)
    assert "was away" in run.error


def test_a_worker_that_gave_up_its_lease_killed_no_run_and_was_killed_by_none():
    old = a_worker(name="new")
    runs = [an_active_run(old, losses=MAX_LOSSES - 1), an_active_run(old, status="assigned")]
    lease(beat(after=old.boot_id))
    assert recover(NOW)[0] == []
    for run, losses in zip(runs, (MAX_LOSSES - 1, 0), strict=True):
        run.refresh_from_db()
        assert (run.status, run.reason, run.attempt, run.losses) == ("pending", "lease_ended", 2, losses)
    old.refresh_from_db()
    assert (old.status, old.gave_up, old.superseded) == ("offline", True, True)


@pytest.mark.parametrize("losses", [0, MAX_LOSSES - 1])
def test_a_cancelled_run_is_cancelled_however_often_it_lost_its_worker(losses):
    run = an_active_run(a_worker(lease_until=NOW - timedelta(seconds=1)), cancel_requested_at=NOW, losses=losses)
    recover(NOW)
    run.refresh_from_db()
    assert run.status == "cancelled"


@pytest.mark.parametrize("status", ["assigned", "running"])
@pytest.mark.parametrize("gave_up", [False, True])
def test_what_is_delivered_at_most_once_is_not_started_again(status, gave_up):
    """Also where no start was reported: the report may have been lost."""
    worker = a_worker(lease_until=NOW - timedelta(seconds=1), gave_up=gave_up)
    run = an_active_run(worker, a_task(delivery="at_most_once", max_attempts=5), status)
    recover(NOW)
    run.refresh_from_db()
    assert (run.status, run.reason, run.attempt) == ("failed", "worker_lost", 1)
    assert "at most once" in run.error


@pytest.mark.parametrize(("begun", "expected"), [(False, ("pending", 2)), (True, ("failed", 1))])
def test_what_never_began_may_start_elsewhere_even_at_most_once(begun, expected):
    run = an_active_run(a_worker(), a_task(delivery="at_most_once"))
    record([report(Returned(key(run), "shutdown", begun))], NOW)
    run.refresh_from_db()
    assert (run.status, run.attempt) == expected


def test_a_failure_of_its_own_is_retried_even_at_most_once():
    """It is known how the attempt ended, and `max_attempts` asks for another."""
    run = an_active_run(a_worker(), a_task(delivery="at_most_once", max_attempts=2))
    record([report(Finished(key(run), "error", 1))], NOW)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("pending", 2)
