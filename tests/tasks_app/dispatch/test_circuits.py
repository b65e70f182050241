"""Circuits of what tasks call: they open, hold or skip, let one probe pass, and close."""

import logging
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tasks_app import actions
from tasks_app.dispatch.circuits import KEPT
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.models import Circuit, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run, given_out
from workers_app.events import events
from workers_app.messaging.protocol import AttemptKey, Finished, Reports, Returned
from workers_app.models import WorkerInfo

pytestmark = pytest.mark.django_db
HOST = "host:api.example.com:443"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_guarded_task(**fields) -> Task:
    return a_task(**{"circuit": "hold", "circuit_failures": 3, "circuit_seconds": 30, **fields})


def assign(now: datetime = NOW) -> list[UUID]:
    """The runs that were given out."""
    letters = given_out(now).letters
    return [item.key.run for _, message in letters for item in message.items]


def end(*runs: TaskRun, reason: str = "error", now: datetime = NOW) -> None:
    """They end in this order."""
    items = [Finished(AttemptKey(run.pk, run.attempt), reason, 1 if reason else 0) for run in runs]
    record([Reports(uuid4(), items)], now)


def fail(task: Task, times: int, now: datetime = NOW) -> None:
    worker = WorkerInfo.objects.first() or a_worker()
    end(*(an_active_run(worker, task) for _ in range(times)), now=now)


def the_circuit() -> Circuit:
    return Circuit.objects.get()


def fresh(run: TaskRun | UUID) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk if isinstance(run, TaskRun) else run)


@pytest.fixture
def tripped() -> Task:
    """A task whose circuit has just opened, with room for runs on a worker."""
    a_worker(lease_until=after(100_000))
    task = a_guarded_task()
    fail(task, 3)
    return task


# What opens and closes it


def test_it_opens_after_so_many_failures_in_a_row():
    task = a_guarded_task()
    fail(task, 2)
    end(an_active_run(a_worker(), task), reason="")
    fail(task, 2)
    assert (the_circuit().state, the_circuit().failures) == ("closed", 2)
    fail(task, 1)
    circuit = the_circuit()
    assert (circuit.target, circuit.state, circuit.failures, circuit.opened_at) == (f"task:{task.pk}", "open", 3, NOW)
    assert circuit.retry_at == after(30)


def test_the_order_within_a_batch_counts():
    task, worker = a_guarded_task(), a_worker()
    bad, good, worse = (an_active_run(worker, task) for _ in range(3))
    items = [
        Finished(AttemptKey(worse.pk, 1), "timeout"),
        Finished(AttemptKey(good.pk, 1), "", 0),
        Finished(AttemptKey(bad.pk, 1), "error", 1),
    ]
    record([Reports(uuid4(), items)], NOW)
    assert the_circuit().failures == 1


@pytest.mark.parametrize(
    "item", [Finished(None, "cancelled"), Returned(None, "shutdown", True), Returned(None, "full")]
)
def test_what_says_nothing_about_the_target_does_not_count(item):
    run = an_active_run(a_worker(), a_guarded_task())
    values = {"begun": item.begun} if isinstance(item, Returned) else {}
    record([Reports(uuid4(), [type(item)(AttemptKey(run.pk, 1), item.reason, **values)])], NOW)
    assert not Circuit.objects.exists()


def test_a_task_without_a_circuit_has_none():
    fail(a_task(), 10)
    assert not Circuit.objects.exists()


def test_a_failed_attempt_counts_though_its_run_is_tried_again():
    fail(a_guarded_task(max_attempts=5), 3)
    assert the_circuit().state == "open"


def test_tasks_that_call_the_same_host_share_a_circuit():
    a_worker()
    tasks = [a_guarded_task(executor="http", command=f"https://api.example.com/{n}", target=HOST) for n in range(3)]
    for task in tasks:
        fail(task, 1)
    assert (the_circuit().target, the_circuit().state) == (HOST, "open")
    careless = a_run(a_guarded_task(executor="http", command="https://api.example.com/", target=HOST, circuit="off"))
    a_run(tasks[0])
    assert assign() == [careless.pk]


def test_any_success_closes_it(tripped: Task, caplog: pytest.LogCaptureFixture):
    end(an_active_run(WorkerInfo.objects.get(), tripped), reason="", now=after(5))
    circuit = the_circuit()
    assert (circuit.state, circuit.failures, circuit.retry_at, circuit.opened_at) == ("closed", 0, None, NOW)
    assert f"The circuit of task:{tripped.pk} is closed again. [circuit_closed]" in caplog.messages


def test_opening_and_closing_are_events(caplog: pytest.LogCaptureFixture):
    before = events.copy()
    task = a_guarded_task()
    with caplog.at_level(logging.WARNING):
        fail(task, 3)
    told = [message for message in caplog.messages if "[circuit_open]" in message]
    assert told == [f"The circuit of task:{task.pk} is open until {after(30)}; failures in a row: 3. [circuit_open]"]
    end(an_active_run(a_worker(), task), reason="")
    assert {kind: events[kind] - before[kind] for kind in ("circuit_open", "circuit_closed")} == {
        "circuit_open": 1,
        "circuit_closed": 1,
    }


def test_circuits_that_nothing_has_moved_for_long_are_forgotten(tripped: Task):
    fail(a_guarded_task(), 3, now=NOW + KEPT)
    assert Circuit.objects.count() == 2
    fail(a_guarded_task(), 3, now=NOW + KEPT + timedelta(seconds=1))
    assert not Circuit.objects.filter(target=tripped.protects).exists()


# The gate


def test_runs_wait_while_it_is_open_and_block_nobody(tripped: Task):
    tripped.priority = 100
    waiting = [a_run(tripped) for _ in range(600)]
    other, guarded = a_run(), a_run(a_guarded_task())
    assert set(assign(after(29))) == {other.pk, guarded.pk}
    assert fresh(waiting[0]).status == "pending"


def test_then_exactly_one_passes_and_its_success_lets_the_others_pass(tripped: Task):
    oldest, *others = (a_run(tripped) for _ in range(4))
    assert assign(after(30)) == [oldest.pk]
    circuit = the_circuit()
    assert (circuit.state, circuit.probe_id, circuit.probe_attempt) == ("half_open", oldest.pk, 1)
    assert assign(after(31)) == []
    end(fresh(oldest), reason="", now=after(32))
    assert the_circuit().state == "closed"
    assert set(assign(after(32))) == {run.pk for run in others}


def test_a_failed_probe_opens_it_for_twice_as_long(tripped: Task):
    probe, other = a_run(tripped), a_run(tripped)
    assert assign(after(30)) == [probe.pk]
    end(fresh(probe), now=after(40))
    circuit = the_circuit()
    assert (circuit.state, circuit.trips, circuit.opened_at) == ("open", 2, NOW)
    assert circuit.retry_at == after(40 + 60)
    assert assign(after(99)) == []
    assert assign(after(100)) == [other.pk]


def _cancelled(run: TaskRun) -> None:
    TaskRun.objects.filter(pk=run.pk).update(cancel_requested_at=NOW)
    end(run, reason="cancelled", now=after(31))


def _handed_back(run: TaskRun) -> None:
    record([Reports(uuid4(), [Returned(AttemptKey(run.pk, 1), "full")])], after(31))
    TaskRun.objects.filter(pk=run.pk).update(available_at=after(1000))


def _lost_with_its_worker(run: TaskRun) -> None:
    WorkerInfo.objects.update(lease_until=after(30))
    recover(after(31))
    TaskRun.objects.filter(pk=run.pk).update(available_at=after(1000))
    a_worker(lease_until=after(100_000))


def _removed(run: TaskRun) -> None:
    run.delete()


@pytest.mark.parametrize("vanish", [_cancelled, _handed_back, _lost_with_its_worker, _removed])
def test_a_probe_that_vanishes_makes_room_for_another(tripped: Task, vanish):
    probe, other = a_run(tripped), a_run(tripped)
    assert assign(after(30)) == [probe.pk]
    vanish(fresh(probe))
    assert assign(after(31)) == [other.pk]
    circuit = the_circuit()
    assert (circuit.state, circuit.probe_id, circuit.trips) == ("half_open", other.pk, 1)


def test_a_probe_waits_for_a_free_slot_as_any_run(tripped: Task):
    run = a_run(tripped)
    WorkerInfo.objects.update(max_tasks=1)
    occupied = an_active_run(WorkerInfo.objects.get())
    assert assign(after(30)) == []
    assert the_circuit().state == "open"
    end(occupied, reason="", now=after(31))
    assert assign(after(31)) == [run.pk]


def test_a_paused_task_sends_no_probe(tripped: Task):
    a_run(tripped)
    Task.objects.update(status="paused")
    assert assign(after(30)) == []
    assert the_circuit().state == "open"


def test_of_several_circuits_each_has_a_probe_of_its_own(tripped: Task):
    other = a_guarded_task()
    fail(other, 3)
    oldest = {min(a_run(task).pk for _ in range(3)) for task in (tripped, other)}
    assert set(assign(after(30))) == oldest
    assert set(Circuit.objects.values_list("state", "probe_id")) == {("half_open", pk) for pk in oldest}


def test_a_circuit_that_is_reset_holds_up_nothing(tripped: Task, broker_url: str):
    run = a_run(tripped)
    actions.reset_circuit(the_circuit(), after(1))
    circuit = the_circuit()
    assert (circuit.state, circuit.failures, circuit.trips, circuit.opened_at) == ("closed", 0, 0, NOW)
    assert assign(after(1)) == [run.pk]


def test_a_task_that_gives_up_its_circuit_is_not_held_up(tripped: Task):
    run = a_run(tripped)
    Task.objects.update(circuit="off")
    assert assign(after(1)) == [run.pk]


# Skipping


@pytest.fixture
def skipping(tripped: Task) -> Task:
    Task.objects.filter(pk=tripped.pk).update(circuit="skip")
    tripped.refresh_from_db()
    return tripped


def test_ready_runs_of_an_open_circuit_are_skipped(skipping: Task):
    ready, later = a_run(skipping), a_run(skipping, available_at=after(20))
    other = a_run()
    assert assign(after(10)) == [other.pk]
    skipped = fresh(ready)
    assert (skipped.status, skipped.reason, skipped.completed_at) == ("skipped", "circuit", after(10))
    assert fresh(later).status == "pending"


def test_the_probe_is_not_skipped_and_the_others_are_until_it_has_ended(skipping: Task):
    probe, other = a_run(skipping), a_run(skipping)
    assert assign(after(30)) == [probe.pk]
    assert fresh(other).status == "skipped"
    end(fresh(probe), reason="", now=after(31))
    after_all = a_run(skipping)
    assert assign(after(31)) == [after_all.pk]


def test_nothing_is_skipped_that_could_be_the_probe_once_a_slot_is_free(skipping: Task):
    run = a_run(skipping)
    WorkerInfo.objects.update(draining=True)
    assert assign(after(30)) == []
    assert fresh(run).status == "pending"


def test_runs_of_tasks_that_hold_are_not_skipped(tripped: Task):
    run = a_run(tripped)
    assign(after(1))
    assert fresh(run).status == "pending"
