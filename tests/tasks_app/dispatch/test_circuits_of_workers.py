"""A worker that cannot start what it is given is set aside, and tried again."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tasks_app.dispatch.record import record
from tasks_app.models import Circuit, RunAttempt, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run, given_out
from workers_app.events import events
from workers_app.messaging.protocol import AttemptKey, Finished, Reports, Returned, Started
from workers_app.models import WorkerInfo

pytestmark = pytest.mark.django_db


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def assign(now: datetime) -> list[tuple[UUID, UUID]]:
    """The worker (its boot id) and the run of each assignment."""
    letters = given_out(now).letters
    return [(boot, item.key.run) for boot, message in letters for item in message.items]


def report(*items, now: datetime = NOW) -> None:
    record([Reports(uuid4(), list(items))], now)


def unable(run: TaskRun, now: datetime = NOW) -> None:
    report(Returned(AttemptKey(run.pk, run.attempt), "unable"), now=now)


@pytest.fixture
def bad() -> WorkerInfo:
    """A worker that has just been set aside."""
    worker = a_worker(name="bad", lease_until=after(100_000))
    for _ in range(3):
        unable(an_active_run(worker, status="assigned"))
    TaskRun.objects.update(available_at=after(100_000))
    return worker


def test_what_could_not_be_started_costs_the_run_nothing_and_starts_elsewhere_soon():
    run = an_active_run(a_worker(name="bad"), a_task(max_attempts=1, delivery="at_most_once"), status="assigned")
    unable(run)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.failures, run.losses) == ("pending", 2, 0, 0)
    assert NOW < run.available_at <= after(1)
    trace = RunAttempt.objects.get()
    assert (trace.reason, trace.worker.name) == ("unable", "bad")
    assert (Circuit.objects.get().target, Circuit.objects.get().failures) == ("worker:bad", 1)


def test_a_run_that_no_worker_can_start_is_tried_ever_more_seldom():
    waits = []
    for attempt in (1, 5, 50):
        run = an_active_run(a_worker(), attempt=attempt)
        unable(run)
        run.refresh_from_db()
        waits.append((run.available_at - NOW).total_seconds())
    for wait, most in zip(waits, (1, 16, 60), strict=True):
        assert 0.5 <= wait <= most
    run = an_active_run(a_worker(), a_task(max_attempts=100), attempt=50, failures=40, losses=9)
    unable(run)
    run.refresh_from_db()
    assert run.available_at <= after(1)


def test_after_three_in_a_row_it_gets_nothing(bad: WorkerInfo):
    circuit = Circuit.objects.get()
    assert (circuit.target, circuit.state, circuit.retry_at) == ("worker:bad", "open", after(30))
    run = a_run()
    assert assign(after(29)) == []
    good = a_worker(lease_until=after(100))
    assert assign(after(29)) == [(good.boot_id, run.pk)]


def test_that_is_one_line_of_log_and_an_event(caplog: pytest.LogCaptureFixture):
    before, worker = events["worker_set_aside"], a_worker(name="bad")
    for _ in range(5):
        unable(an_active_run(worker))
    told = [message for message in caplog.messages if "[worker_set_aside]" in message]
    assert told == [
        f"worker:bad is set aside until {after(30)}: it could not start what it was given, 3 times in a row. "
        "[worker_set_aside]"
    ]
    assert events["worker_set_aside"] == before + 1


@pytest.mark.parametrize("reason", ["", "error", "timeout"])
def test_whatever_has_begun_there_shows_that_it_can(reason: str):
    worker = a_worker()
    for _ in range(2):
        unable(an_active_run(worker))
    report(Finished(AttemptKey(an_active_run(worker).pk, 1), reason))
    unable(an_active_run(worker))
    assert (Circuit.objects.get().state, Circuit.objects.get().failures) == ("closed", 1)


def test_then_one_run_tries_it(bad: WorkerInfo):
    runs = [a_run() for _ in range(3)]
    ((boot, first),) = assign(after(30))
    assert (boot, first) == (bad.boot_id, runs[0].pk)
    assert assign(after(31)) == []
    unable(TaskRun.objects.get(pk=first), now=after(31))
    assert (Circuit.objects.get().state, Circuit.objects.get().retry_at) == ("open", after(31 + 60))
    assert assign(after(90)) == []


def test_when_that_one_has_started_it_gets_runs_as_before(bad: WorkerInfo):
    runs = [a_run() for _ in range(3)]
    ((_, first),) = assign(after(30))
    report(Started(AttemptKey(first, 1)), now=after(31))
    assert {run for _, run in assign(after(31))} == {run.pk for run in runs[1:]}
    assert Circuit.objects.get().state == "closed"


def test_when_that_one_ended_at_once_it_gets_runs_as_before(bad: WorkerInfo):
    a_run()
    ((_, first),) = assign(after(30))
    report(Finished(AttemptKey(first, 1), "", 0, seconds=0.01), now=after(31))
    assert Circuit.objects.get().state == "closed"


def test_one_run_may_be_the_probe_of_its_task_and_of_its_worker(bad: WorkerInfo):
    task = a_task(circuit="hold", circuit_failures=1)
    report(Finished(AttemptKey(an_active_run(a_worker(max_tasks=1, draining=True), task).pk, 1), "error", 1))
    run = a_run(task)
    assert assign(after(30)) == [(bad.boot_id, run.pk)]
    assert set(Circuit.objects.values_list("state", "probe_id")) == {("half_open", run.pk)}
    report(Finished(AttemptKey(run.pk, 1), "error", 1), now=after(31))
    assert set(Circuit.objects.values_list("target", "state")) == {("worker:bad", "closed"), (task.protects, "open")}
