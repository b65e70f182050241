"""Duties 1 and 2: reports and heartbeats become rows; what does not agree is settled; what is lost is found."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tasks_app.dispatch.decide import MAX_LOSSES
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.models import RunAttempt, RunLog, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run
from workers_app.messaging.protocol import AttemptKey, Finished, Heartbeat, Lease, Output, Reports, Returned, Started
from workers_app.models import WorkerInfo

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(seconds=5)


def key(run: TaskRun, attempt: int = 1) -> AttemptKey:
    return AttemptKey(run.pk, attempt)


def report(*items) -> Reports:
    return Reports(uuid4(), list(items))


def beat(worker: WorkerInfo | None = None, *, seq: int = 1, holds=(), state="online", **fields) -> Heartbeat:
    values = {"boot": worker.boot_id if worker else uuid4(), "name": worker.name if worker else "new", "max_tasks": 4}
    rest = {"hostname": "h", "pid": 1, "labels": {}, "executors": ["shell"], "holds": list(holds)}
    return Heartbeat(seq=seq, state=state, **values, **rest, **fields)


def lease(message: Heartbeat, now=NOW) -> Lease:
    ((_, answer),) = record([message], now)
    return answer


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


def test_a_heartbeat_registers_a_worker_and_gets_a_lease():
    answer = lease(beat())
    worker = WorkerInfo.objects.get()
    assert (worker.name, worker.status, worker.max_tasks, worker.lease_until) == (
        "new",
        "online",
        4,
        NOW + timedelta(seconds=10),
    )
    assert answer == Lease(1, 10.0, [], [], NOW.timestamp())


def test_a_new_incarnation_supersedes_the_old_one():
    old = a_worker(name="new")
    lease(beat())
    old.refresh_from_db()
    assert old.superseded


def test_a_late_heartbeat_changes_nothing_and_gets_no_answer():
    """It may come twice, or behind a newer one that another dispatcher has recorded: the worker is alive."""
    worker = a_worker(heartbeat_seq=5)
    for seq in (4, 5):
        assert record([beat(worker, seq=seq)], LATER) == []
    worker.refresh_from_db()
    assert (worker.status, worker.heartbeat_seq, worker.lease_until) == ("online", 5, NOW + timedelta(seconds=10))


def test_a_late_report_in_the_same_batch_hides_no_other():
    run = an_active_run(a_worker(), attempt=2)
    record([report(Finished(key(run, 2), "", 0)), report(Finished(key(run, 1), "error", 1))], LATER)
    run.refresh_from_db()
    assert (run.status, run.exit_code) == ("succeeded", 0)


def test_a_worker_taken_as_lost_cannot_come_back():
    worker = a_worker(status="offline")
    assert lease(beat(worker)).seconds == 0
    worker.refresh_from_db()
    assert worker.status == "offline"


def test_a_full_worker_is_busy_and_a_drained_one_stays_so():
    worker = a_worker(max_tasks=4)
    runs = [an_active_run(worker) for _ in range(4)]
    lease(beat(worker, holds=[key(run) for run in runs]))
    worker.refresh_from_db()
    assert (worker.status, worker.current_tasks) == ("busy", 4)
    worker.drain()
    lease(beat(worker, seq=2))
    worker.refresh_from_db()
    assert worker.status == "draining"


def test_heartbeat_and_database_are_brought_together():
    worker = a_worker()
    fine, undelivered, on_its_way = an_active_run(worker), an_active_run(worker, status="assigned"), a_run()
    unwanted = an_active_run(worker, cancel_requested_at=NOW)
    ended = a_run(status="succeeded", completed_at=NOW)
    TaskRun.objects.filter(pk=on_its_way.pk).update(status="assigned", worker=worker, assigned_at=LATER)
    answer = lease(beat(worker, holds=[key(fine), key(unwanted), key(ended), key(fine, 7)]), LATER)
    assert set(answer.unknown) == {key(undelivered)}
    assert set(answer.cancel) == {key(unwanted), key(ended), key(fine, 7)}


def test_a_goodbye_is_final_and_gets_no_answer():
    worker = a_worker()
    assert record([beat(worker, state="offline")], NOW) == []
    worker.refresh_from_db()
    assert (worker.status, worker.current_tasks) == ("offline", 0)


def test_a_batch_costs_few_statements(django_assert_max_num_queries):
    worker, task = a_worker(max_tasks=200), a_task()
    runs = [an_active_run(worker, task, status="assigned") for _ in range(100)]
    items = [item for run in runs for item in (Started(key(run)), Output(key(run), 0, "x"), Finished(key(run), "", 0))]
    with django_assert_max_num_queries(14):
        record([report(*items), beat(worker, holds=[])], NOW)
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


def test_the_newest_of_two_incarnations_in_one_batch_counts():
    record([beat(), beat()], NOW)
    first, second = WorkerInfo.objects.order_by("id")
    assert (first.superseded, second.superseded) == (True, False)


def test_a_cancelled_run_of_a_lost_worker_is_cancelled():
    worker = a_worker(lease_until=NOW - timedelta(seconds=1))
    run = an_active_run(worker, cancel_requested_at=NOW)
    recover(NOW)
    run.refresh_from_db()
    assert run.status == "cancelled"
