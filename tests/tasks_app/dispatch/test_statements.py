"""Every duty costs few statements, whatever the size of its batch."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_app.dispatch.assign import assign
from tasks_app.dispatch.fire import fire
from tasks_app.dispatch.leases import ask, renew
from tasks_app.dispatch.outlook import look
from tasks_app.dispatch.record import record
from tasks_app.dispatch.recover import recover
from tasks_app.models import Circuit, RunAttempt, RunLog, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run, a_task, a_worker, an_active_run
from workers_app.messaging.protocol import AttemptKey, Finished, Heartbeat, Output, Reports, Started

pytestmark = pytest.mark.django_db


def statements(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        call()
    return len(queries)


def held(number: int, **fields: Any) -> list[AttemptKey]:
    worker, task = a_worker(max_tasks=1000), a_task(**fields)
    return [AttemptKey(an_active_run(worker, task, status="assigned").pk, 1) for _ in range(number)]


def assigning(number: int) -> int:
    a_worker(max_tasks=500)
    task = a_task()
    for _ in range(number):
        a_run(task)
    placements = look(NOW).placements
    cost = statements(lambda: assign(NOW, placements))
    assert TaskRun.objects.filter(status="assigned").count() == number
    return cost


def firing(number: int) -> int:
    for _ in range(number):
        a_task(schedule="* * * * *", next_fire_at=NOW)
    cost = statements(lambda: fire(NOW))
    assert TaskRun.objects.count() == number
    return cost


def recording_starts_and_output(number: int) -> int:
    keys = held(number)
    items = [report for key in keys for report in (Started(key), Output(key, 0, "a"), Output(key, 1, "b"))]
    cost = statements(lambda: record([Reports(uuid4(), items)], NOW))
    assert RunLog.objects.count() == 2 * number
    return cost


def recording_successes(number: int) -> int:
    keys = held(number)
    cost = statements(lambda: record([Reports(uuid4(), [Finished(key, "", 0)]) for key in keys], NOW))
    assert TaskRun.objects.filter(status="succeeded").count() == number
    return cost


def recording_failures(number: int) -> int:
    keys = held(number, max_attempts=2)
    cost = statements(lambda: record([Reports(uuid4(), [Finished(key, "error", 1) for key in keys])], NOW))
    assert RunAttempt.objects.count() == number
    return cost


def recording_heartbeats(number: int) -> int:
    beats = [
        Heartbeat(worker.boot_id, 1, worker.name, "", 1, {}, ["shell"], 10, [])
        for worker in [a_worker() for _ in range(number)]
    ]
    answers: list[Any] = []
    cost = statements(lambda: answers.extend(renew(list(beats), NOW)))
    assert len(answers) == number
    return cost


def registering(number: int) -> int:
    beats = [Heartbeat(uuid4(), 1, f"w{n}", "", 1, {}, ["shell"], 10, []) for n in range(number)]
    return statements(lambda: renew(list(beats), NOW))


def asking(number: int) -> int:
    later = NOW + timedelta(seconds=2)
    for _ in range(number):
        an_active_run(a_worker(last_heartbeat=later), status="assigned")
    letters: list[Any] = []
    cost = statements(lambda: letters.extend(ask(later)))
    assert len(letters) == number
    return cost


def recovering(number: int) -> int:
    for _ in range(number):
        an_active_run(a_worker(lease_until=NOW - timedelta(seconds=1)))
    cost = statements(lambda: recover(NOW))
    assert TaskRun.objects.filter(status="pending").count() == number
    return cost


def guarded(number: int, **fields: Any) -> list[AttemptKey]:
    """Assigned runs of as many tasks, each with a circuit that the first failure opens."""
    worker, circuit = a_worker(max_tasks=1000, lease_until=NOW + timedelta(hours=1)), {"circuit": "hold", **fields}
    tasks = [a_task(circuit_failures=1, **circuit) for _ in range(number)]
    return [AttemptKey(an_active_run(worker, task, status="assigned").pk, 1) for task in tasks]


def recording_successes_of_guarded_tasks(number: int) -> int:
    keys = guarded(number)
    return statements(lambda: record([Reports(uuid4(), [Finished(key, "", 0) for key in keys])], NOW))


def opening_circuits(number: int) -> int:
    keys = guarded(number)
    cost = statements(lambda: record([Reports(uuid4(), [Finished(key, "error", 1) for key in keys])], NOW))
    assert Circuit.objects.filter(state="open").count() == number
    return cost


def letting_probes_pass(number: int) -> int:
    keys = guarded(number, circuit="skip")
    record([Reports(uuid4(), [Finished(key, "error", 1) for key in keys])], NOW)
    for task in Task.objects.all():
        a_run(task)
        a_run(task)
    placements = look(NOW).placements
    cost = statements(lambda: assign(NOW + timedelta(seconds=30), placements))
    assert Circuit.objects.filter(state="half_open").count() == number
    assert TaskRun.objects.filter(reason="circuit").count() == number
    return cost


@pytest.mark.parametrize(
    ("duty", "most"),
    [
        (assigning, 8),
        (firing, 5),
        (recording_starts_and_output, 6),
        (recording_successes, 5),
        (recording_failures, 6),
        (recording_heartbeats, 8),
        (registering, 9),
        (asking, 1),
        (recovering, 9),
        (recording_successes_of_guarded_tasks, 6),
        (opening_circuits, 10),
        (letting_probes_pass, 15),
    ],
)
@pytest.mark.parametrize("number", [1, 120])
def test_the_number_of_statements_does_not_grow(duty: Callable[[int], int], most: int, number: int):
    assert duty(number) <= most
