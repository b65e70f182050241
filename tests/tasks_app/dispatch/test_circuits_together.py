"""Several dispatchers at once, each in a transaction of its own: one probe passes, and no failure is lost."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from tasks_app.dispatch.record import record
from tasks_app.models import Circuit, Task
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run, given_out
from tests.together import together
from workers_app.messaging.protocol import AttemptKey, Finished, Reports

pytestmark = pytest.mark.django_db(transaction=True)


def a_due_circuit() -> Task:
    task = a_task(circuit="hold")
    Circuit.objects.create(
        target=task.protects, state="open", failures=5, trips=1, opened_at=NOW, retry_at=NOW, updated_at=NOW
    )
    for _ in range(10):
        a_run(task)
    return task


def assign() -> list[UUID]:
    letters = given_out(NOW).letters
    return [item.key.run for _, message in letters for item in message.items]


def failures(task: Task, number: int) -> Callable[[], None]:
    worker = a_worker()
    keys = [AttemptKey(an_active_run(worker, task).pk, 1) for _ in range(number)]
    return lambda: record([Reports(uuid4(), [Finished(key, "error", 1) for key in keys])], NOW)


def test_of_all_that_try_one_lets_a_probe_pass():
    for _ in range(5):
        a_worker()
        a_due_circuit()
        assert sum(map(len, together(assign, assign, assign))) == 1
        assert assign() == []
    assert list(Circuit.objects.values_list("state", flat=True)) == ["half_open"] * 5


@pytest.mark.only("postgresql")
def test_while_one_decides_nothing_passes_elsewhere():
    """Also where another has workers of its own, and cannot see yet that the circuit is half open."""
    a_worker()
    a_due_circuit()
    with transaction.atomic():
        first = assign()
        together(a_worker)
        (second,) = together(assign)
    assert (len(first), second, assign()) == (1, [], [])
    assert Circuit.objects.get().probe_id == first[0]


def test_failures_recorded_at_the_same_moment_all_count():
    tasks = [a_task(circuit="hold", circuit_failures=1000) for _ in range(3)]
    for _ in range(3):
        together(*(failures(task, 4) for task in (*tasks, *reversed(tasks))))
    assert set(Circuit.objects.values_list("target", "failures")) == {(task.protects, 24) for task in tasks}


def test_dispatchers_that_record_the_same_circuits_do_not_wait_for_each_other_for_ever():
    tasks, worker = [a_task(circuit="hold", circuit_failures=1000) for _ in range(10)], a_worker()

    def batch(order: list[Task]) -> Callable[[], None]:
        keys = [AttemptKey(an_active_run(worker, task).pk, 1) for task in order]
        return lambda: record([Reports(uuid4(), [Finished(key, "error", 1) for key in keys])], NOW)

    for _ in range(5):
        together(batch(tasks), batch(tasks[::-1]), assign)
    assert set(Circuit.objects.values_list("failures", flat=True)) == {10}


def test_a_probe_that_ends_while_others_look_for_it_moves_its_circuit_once():
    task, later = a_due_circuit(), NOW + timedelta(seconds=1)
    a_worker(lease_until=NOW + timedelta(hours=1))
    (probe,) = assign()
    ended = Reports(uuid4(), [Finished(AttemptKey(probe, 1), "error", 1)])
    _, first, second = together(
        lambda: record([ended], later),
        lambda: given_out(later).number,
        lambda: given_out(later).number,
    )
    circuit = Circuit.objects.get()
    assert (first, second, circuit.target) == (0, 0, task.protects)
    assert (circuit.state, circuit.trips) == ("open", 2)
