"""Duty 0: heartbeats renew leases, and what worker and database say differently is settled."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tasks_app.dispatch.leases import IN_FLIGHT, ask, renew
from tasks_app.models import TaskRun
from tests.tasks_app.factories import NOW, a_run, a_worker, an_active_run
from workers_app import registry
from workers_app.messaging.protocol import Ask, AttemptKey, Finished, Heartbeat, Lease, Reports, Returned
from workers_app.models import WorkerInfo

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(seconds=5)


def key(run: TaskRun, attempt: int = 1) -> AttemptKey:
    return AttemptKey(run.pk, attempt)


def beat(worker: WorkerInfo | None = None, *, seq: int = 1, holds=(), state="online", **fields) -> Heartbeat:
    values = {"boot": worker.boot_id if worker else uuid4(), "name": worker.name if worker else "new", "max_tasks": 4}
    rest = {"hostname": "h", "pid": 1, "labels": {}, "executors": ["shell"], "holds": list(holds)}
    return Heartbeat(seq=seq, state=state, **values, **rest, **fields)


def lease(message: Heartbeat, now=NOW) -> Lease:
    ((_, answer),) = renew([message], now)
    return answer


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
        assert renew([beat(worker, seq=seq)], LATER) == []
    worker.refresh_from_db()
    assert (worker.status, worker.heartbeat_seq, worker.lease_until) == ("online", 5, NOW + timedelta(seconds=10))


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


def test_workers_are_asked_after_what_should_have_begun_by_now():
    worker, other = a_worker(last_heartbeat=LATER), a_worker(last_heartbeat=LATER)
    overdue, elsewhere = an_active_run(worker, status="assigned"), an_active_run(other, status="assigned")
    an_active_run(worker)
    fresh = an_active_run(worker, status="assigned")
    TaskRun.objects.filter(pk=fresh.pk).update(assigned_at=LATER - IN_FLIGHT)
    assert dict(ask(LATER)) == {worker.boot_id: Ask([key(overdue)]), other.boot_id: Ask([key(elsewhere)])}


def test_who_is_gone_or_silent_is_not_asked():
    for worker in (a_worker(last_heartbeat=NOW), a_worker(last_heartbeat=LATER, status="offline")):
        an_active_run(worker, status="assigned")
    assert ask(LATER) == []


def test_a_goodbye_is_final_and_gets_no_answer():
    worker = a_worker()
    assert renew([beat(worker, state="offline")], NOW) == []
    worker.refresh_from_db()
    assert (worker.status, worker.current_tasks) == ("offline", 0)


def test_the_newest_of_two_incarnations_in_one_batch_counts():
    renew([beat(), beat()], NOW)
    first, second = WorkerInfo.objects.order_by("id")
    assert (first.superseded, second.superseded) == (True, False)


@pytest.mark.parametrize("end", [Finished(None, ""), Returned(None, "full")])
def test_what_ends_in_the_same_batch_needs_no_word(end):
    """Its heartbeat was written before, or after, its end."""
    worker = a_worker()
    held, gone = an_active_run(worker), an_active_run(worker)
    ends = [type(end)(key(run), end.reason) for run in (held, gone)]
    ((_, answer),) = renew([Reports(uuid4(), ends), beat(worker, holds=[key(held)])], LATER)
    assert (answer.cancel, answer.unknown) == ([], [])


def test_a_lease_granted_before_the_clock_was_set_back_does_not_last_for_ever():
    now = datetime.now(UTC)
    long, short = a_worker(lease_until=now + timedelta(hours=1)), a_worker(lease_until=now + timedelta(seconds=5))
    registry.shorten(10)
    long.refresh_from_db()
    short.refresh_from_db()
    assert abs(long.lease_until - now - timedelta(seconds=10)) < timedelta(seconds=5)
    assert short.lease_until == now + timedelta(seconds=5)


def test_how_busy_its_machine_is_can_be_seen():
    lease(beat(cpu_percent=12.5, memory_percent=40.0))
    worker = WorkerInfo.objects.get()
    assert (worker.cpu_percent, worker.memory_percent) == (12.5, 40.0)
